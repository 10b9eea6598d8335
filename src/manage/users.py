"""The commands of `manage.sh user`; `user_commands.py` carries them out."""

import secrets
import sys
from typing import Annotated

import typer

app = typer.Typer(
    help="Create users, promote them, set passwords, unlock accounts, reset second factors.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

factors_app = typer.Typer(help="Second factors.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(factors_app, name="factors")

Username = Annotated[str, typer.Argument(help="The user's name at login.", show_default=False)]
FromStdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]
Generate = Annotated[bool, typer.Option("--generate", help="Generate a password and print it once.")]
MustChange = Annotated[bool, typer.Option("--must-change", help="Have the user change it at the next login.")]


@app.command()
def create(
    username: Username,
    email: Annotated[str, typer.Option(help="Their e-mail address; asked for at a terminal.", show_default=False)] = "",
    name: Annotated[str, typer.Option(help="The name to show; by default the username.", show_default=False)] = "",
    role: Annotated[list[str] | None, typer.Option(metavar="CODE", help="The code of a role; may be repeated.")] = None,
    admin: Annotated[bool, typer.Option("--admin", help="Make the user an administrator.")] = False,
    from_stdin: FromStdin = False,
    generate: Generate = False,
    must_change: MustChange = False,
) -> None:
    """Create a user."""
    if not email and not sys.stdin.isatty():
        sys.exit("--email is required.")
    email = email or typer.prompt("Email")
    password = read_password(from_stdin=from_stdin, generate=generate)
    from src.manage import user_commands

    fields = {"username": username, "email": email, "name": name or username, "roles": role or [], "is_admin": admin}
    print(user_commands.create(fields, password, must_change_password=must_change))
    show_generated(password, generate)


@app.command()
def promote(username: Username) -> None:
    """Make a user an administrator."""
    from src.manage import user_commands

    print(user_commands.promote(username))


@app.command()
def password(
    username: Username, from_stdin: FromStdin = False, generate: Generate = False, must_change: MustChange = False
) -> None:
    """Set a user's password, and end all of their sessions."""
    new = read_password(from_stdin=from_stdin, generate=generate)
    from src.manage import user_commands

    print(user_commands.set_password(username, new, must_change_password=must_change))
    show_generated(new, generate)


@app.command()
def unlock(username: Username) -> None:
    """Let a user log in again who was locked out by failed logins."""
    from src.manage import user_commands

    print(user_commands.unlock(username))


@factors_app.command()
def reset(username: Username) -> None:
    """Remove all second factors of a user who has lost theirs, and end all of their sessions."""
    from src.manage import user_commands

    print(user_commands.reset_factors(username))


def read_password(*, from_stdin: bool, generate: bool) -> str:
    """The new password: generated, read from standard input, or asked for at the terminal."""
    if generate:
        return secrets.token_urlsafe(18)
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        sys.exit("There is no terminal to ask for a password: use --password-stdin or --generate.")
    answer: str = typer.prompt("New password", hide_input=True, confirmation_prompt="Once more")
    return answer


def show_generated(password: str, generated: bool) -> None:
    """Print the password that nobody knows yet."""
    if generated:
        print(f"Password: {password} (shown once)")
