import typer

from src.manage import backup, doctor, documents, rename, reset, routes, seed, settings, shell, users

app = typer.Typer(
    name="manage.sh",
    help="Manage users and data, and look into the application.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"max_content_width": 120},
)
app.add_typer(users.app, name="user")
app.command("doctor")(doctor.examine)
app.command("shell")(shell.open_shell)
app.command("routes")(routes.show_routes)
app.command("settings")(settings.show_settings)
app.command("seed")(seed.insert_demo_data)
app.command("reset")(reset.erase_data)
app.command("backup")(backup.back_up)
app.command("restore")(backup.restore)
app.command("openapi")(documents.write_openapi)
app.command("asyncapi")(documents.write_asyncapi)
app.command("rename")(rename.rename_project)

if __name__ == "__main__":
    app(prog_name="scripts/manage.sh")
