"""The console in Chromium: `python -m scripts.check.console --journey`, or `[DIRECTORY]`: every page as well."""

import re
import sys
import tempfile
from collections.abc import Callable
from http import HTTPStatus
from itertools import product
from pathlib import Path

from playwright.sync_api import Locator, expect

from scripts.bench.servers import serve
from scripts.check.browser import browser
from scripts.check.console_emails import INVITED, invite, mail_catcher, use_emails
from scripts.check.console_factors import use_factors
from scripts.check.console_page import ConsolePage
from scripts.check.instance import beat, prepared, worker

TASKS = "scripts.check.console_tasks"
ADMIN = "admin", "123456"
USER = "ada", "correct horse battery staple"
READS_USERS = "GET:/api/v1/users"
PAGES = (
    *("overview", "runs", "dead-letters", "schedules", "tasks", "clients", "health", "notices", "files"),
    *("users", "roles", "api-keys", "audit-log", "account"),
)
EMAIL_PAGES = "invitations", "caught-emails"  # where e-mail is configured, and where it is caught
DONE = (  # what the journey did, as the audit log has it
    *("POST:/api/v1/roles", "POST:/api/v1/users", "POST:/api/v1/schedules", "POST:/api/v1/tasks/{taskName}/runs"),
    *("POST:/api/v1/tasks/runs/{taskId}/retry", "DELETE:/api/v1/ops/clients/{clientId}"),
    *("POST:/api/v1/service-accounts", "POST:/api/v1/api-keys", "POST:/api/v1/api-keys/{keyId}/rotate"),
    *("DELETE:/api/v1/api-keys/{keyId}", "DELETE:/api/v1/users/{userId}/sessions/{sessionId}"),
    "PUT:/api/v1/roles/{roleId}",
)


def journey(admin: ConsolePage, user: ConsolePage) -> None:
    """What an administrator and a user do; each step waits for what it should lead to."""
    admin.sign_in(*ADMIN)
    make_role_and_user(admin)
    use_permissions(user)
    use_keys(admin)
    watch_runs(admin)
    send(admin)
    retry(admin)
    edit_meanwhile(admin)
    disconnect(admin, user)
    end_session(admin, user)
    take_permission(admin, user)
    admin.open("audit-log")
    for action in DONE:
        admin.reload_until(admin.page.get_by_text(action, exact=True))
    print("All of it is in the audit log.")


def make_role_and_user(admin: ConsolePage) -> None:
    """A role with two permissions, chosen in the tree, and a user with it."""
    admin.open("roles")
    admin.button("New role").click()
    role = admin.dialog("New role")
    admin.fill(role, {"name": "Reader", "code": "reader"})
    for code in (READS_USERS, "GET:/api/v1/permissions/mine"):
        admin.tick(role, code)
    role.get_by_role("button", name="Create").click()
    expect(admin.row("reader")).to_contain_text("2")
    admin.open("users")
    admin.button("New user").click()
    user = admin.dialog("New user")
    admin.fill(user, {"username": USER[0], "name": "Ada", "email": "ada@example.com", "password": USER[1]})
    admin.choose(user, "roles", "reader")
    user.get_by_role("button", name="Create").click()
    expect(admin.row("ada@example.com")).to_be_visible()


def use_permissions(user: ConsolePage) -> None:
    """The user may list users, and no roles: the API refuses them, and their page says which permission it takes."""
    user.sign_in(*USER)
    with user.gets("users", HTTPStatus.OK):
        user.open("users")
    expect(user.row("ada@example.com")).to_be_visible()
    user.open("roles")
    user.shows("You may not see this.")
    user.shows("GET:/api/v1/roles")
    with user.gets("roles", HTTPStatus.FORBIDDEN):
        user.call("GET", "roles")
    print("A role, a user with it, who sees users and no roles.")


def use_keys(admin: ConsolePage) -> None:
    """A key of a service account: made, rotated, shown once each time, and revoked."""
    admin.open("api-keys")
    admin.button("New service account").click()
    account = admin.dialog("New service account")
    admin.fill(account, {"username": "nightly", "name": "Nightly"})
    admin.choose(account, "roles", "reader")
    account.get_by_role("button", name="Create").click()
    admin.page.wait_for_url("**/api-keys?userId=*")
    admin.button("New API key").click()
    form = admin.dialog("New API key")
    admin.fill(form, {"name": "Import", "addresses": "127.0.0.1 192.0.2.0/24"})
    admin.choose(form, "codes", READS_USERS)
    form.get_by_role("button", name="Create").click()
    first = _read_key(admin)
    record = admin.record("Import")
    expect(record).to_contain_text("192.0.2.0/24")
    record.get_by_role("button", name="Rotate").click()
    admin.dialog("Replace the key Import").get_by_role("button", name="Rotate").click()
    if _read_key(admin) == first:
        sys.exit("The rotated key is the old one.")
    record.get_by_role("button", name="Revoke").click()
    admin.confirm()
    expect(admin.row("Import")).to_have_count(0)
    print("A key of a service account was made, rotated and revoked.")


def _read_key(admin: ConsolePage) -> str:
    shown = admin.dialog("The key Import, which is shown only now")
    expect(shown).to_contain_text(re.compile("ak_[0-9a-f]{64}"))
    key = shown.locator(".el-message-box__message").inner_text()
    shown.get_by_role("button", name="Close", exact=True).last.click()
    return key


def watch_runs(admin: ConsolePage) -> None:
    """A schedule that starts a run each second: runs and their progress appear, without loading the list again."""
    admin.open("schedules")
    admin.button("New schedule").click()
    schedule = admin.dialog("New schedule")
    admin.fill(schedule, {"name": "Count", "every": "1"})
    admin.choose(schedule, "task", "check.count")
    admin.choose(schedule, "period", "seconds")
    schedule.get_by_role("button", name="Next five runs").click()
    expect(schedule.locator(".preview time")).to_have_count(5)
    schedule.get_by_role("button", name="Create").click()
    expect(admin.row("Count")).to_contain_text("every 1 seconds")
    admin.open("runs")
    expect(admin.live).to_be_visible()
    requests = len(admin.observed.requested)
    counts = admin.page.locator("tbody tr", has_text="check.count")
    before = counts.count()
    expect(counts.nth(before + 2)).to_be_visible()
    expect(counts.locator("progress[value]:not([value='0'])").first).to_be_visible()
    expect(counts.filter(has_text="SUCCESS").first).to_be_visible()
    if len(admin.observed.requested) != requests:
        sys.exit("The list of runs was loaded again.")
    admin.open("schedules")
    admin.record("Count").get_by_role("button", name="Pause").click()
    pause = admin.dialog("Pause Count")
    admin.fill(pause, {"reason": "Seen."})
    pause.get_by_role("button", name="Pause").click()
    expect(admin.row("Count")).to_contain_text("paused")
    print("Runs that beat started appeared as they happened, with their progress.")


def _send_task(admin: ConsolePage, task: str, **arguments: str) -> Locator:
    """Send a task by its form; returns where its run is shown."""
    admin.open("tasks")
    admin.row(task).get_by_role("button", name="Run").click()
    form = admin.dialog(f"Run {task}")
    admin.fill(form, {f"kwargs.{name}": value for name, value in arguments.items()})
    form.get_by_role("button", name="Send").click()
    return admin.page.locator(".el-drawer__body")


def send(admin: ConsolePage) -> None:
    """A task is sent with a decimal number and a day."""
    shown = _send_task(admin, "check.count", seconds="0.25", day="2030-01-31")
    expect(shown).to_contain_text('"seconds": 0.25')
    expect(shown).to_contain_text('"day": "2030-01-31"')
    expect(shown).to_contain_text("SUCCESS")
    print("A task was sent with a decimal number and a day.")


def retry(admin: ConsolePage) -> None:
    """A run that fails is retried."""
    shown = _send_task(admin, "notices.announce", notice_id="nonsense")
    expect(shown).to_contain_text("FAILURE")
    shown.get_by_role("button", name="Run again").click()
    expect(shown).to_contain_text("Retried by")
    admin.open("runs?state=FAILURE")
    admin.page.get_by_label("Choose all").check()
    admin.page.locator(".chosen").get_by_role("button", name="Retry").click()
    admin.confirm()
    admin.shows("Sent again.")
    rows = admin.page.locator("tbody tr")
    admin.reload_until(rows.nth(1))
    for title in [rows.nth(number).locator(".id").get_attribute("title") or "" for number in range(2)]:
        row = rows.filter(has=admin.page.locator(f"[title='{title}']"))  # new rows come before it
        with admin.page.expect_request(f"**/{title[:36]}/retry"):
            row.get_by_role("button", name="Retry").click()
    print("A failed run was retried; all that were chosen as well, and those of single rows.")


def edit_meanwhile(admin: ConsolePage) -> None:
    """Somebody else changes a notice whose form is open, and the page loads it again: the change is not overwritten."""
    text = {"title": "Before", "body": "Text", "expiresAt": "2099-01-01T00:00:00Z"}
    notice = admin.call("POST", "notices", text)
    admin.open(f"notices?open={notice['id']}")
    admin.button("Edit").click()
    admin.call("PATCH", f"notices/{notice['id']}", {"title": "Theirs"})
    admin.button("Reload").dispatch_event("click")  # the dialog lies above it
    form = admin.dialog("Edit Theirs")
    admin.fill(form, {"title": "Mine"})
    form.get_by_role("button", name="Save").click()
    expect(form.locator("[data-state=conflict]")).to_be_visible()
    form.get_by_role("button", name="Drop my changes and load theirs").click()
    expect(admin.row("Theirs")).to_be_visible()
    print("A change that somebody else made meanwhile was not overwritten.")


def disconnect(admin: ConsolePage, user: ConsolePage) -> None:
    """The administrator finds the user's socket and disconnects it; the user's page connects again."""
    with user.page.expect_websocket() as socket:
        user.open("users")
    expect(user.live).to_be_visible()
    admin.open("clients")
    admin.row("ada").get_by_role("button", name="Disconnect").click()
    with user.page.expect_websocket(), socket.value.expect_event("close"):
        admin.confirm()
    expect(user.live).to_be_visible()
    print("A connected client was disconnected, and came back.")


def end_session(admin: ConsolePage, user: ConsolePage) -> None:
    """The administrator ends the user's session: its socket drops, and the user's page says so."""
    with user.page.expect_websocket() as socket:
        user.open("users")
    expect(user.live).to_be_visible()
    admin.open("users")
    sessions = admin.record("ada@example.com").locator(".block", has_text="Sessions")
    sessions.get_by_role("button", name="End", exact=True).first.click()
    with socket.value.expect_event("close"):
        admin.confirm()
    user.shows("Your session has ended")
    admin.open("clients")
    expect(admin.row("admin")).to_be_visible()
    expect(admin.row("ada")).to_have_count(0)
    print("The end of a session dropped its socket, and was shown where it ended.")


def take_permission(admin: ConsolePage, user: ConsolePage) -> None:
    """The administrator takes a permission away; the user's next request is refused."""
    user.sign_in(*USER)
    user.open("users")
    expect(user.row("ada@example.com")).to_be_visible()
    admin.open("roles")
    admin.record("Reader").get_by_role("button", name="Edit").click()
    role = admin.dialog("Edit Reader")
    admin.tick(role, READS_USERS)
    role.get_by_role("button", name="Who gains, who loses?").click()
    expect(role.locator(".preview .problem", has_text="ada")).to_be_visible()
    role.get_by_role("button", name="Save").click()
    expect(role).to_be_hidden()
    with user.gets("users", HTTPStatus.FORBIDDEN):
        user.button("Reload").click()
    user.shows("You may not see this.")
    print("A permission that was taken away was refused on the next request.")


def visit(console: ConsolePage, directory: Path) -> list[str]:
    """Every page in both themes, widths and languages; saves screenshots, returns what axe-core found."""
    found = []
    for theme, width, language in product(("light", "dark"), (1280, 390), ("en", "zh")):
        console.look(theme, language, width)
        for name in (*PAGES, *EMAIL_PAGES, *DETAILS):
            if name in DETAILS:
                DETAILS[name](console)
            else:
                console.open(name)
            console.save(directory / f"{name}-{theme}-{width}-{language}.png")
            found += [f"{name}, {theme}, {width}, {language}: {problem}" for problem in console.audit()]
    return found


def show_user(console: ConsolePage) -> None:
    """One user, with sessions."""
    console.open("users")
    console.record("ada@example.com")


def show_run(console: ConsolePage) -> None:
    """A run that failed."""
    console.open("runs?state=FAILURE")
    console.record("notices.announce")


def show_role_form(console: ConsolePage) -> None:
    """The form of a role, with its tree."""
    console.open("roles")
    console.page.keyboard.press("n")
    console.page.locator(".branches summary").first.click()


def show_schedule_form(console: ConsolePage) -> None:
    """The form of a schedule."""
    console.open("schedules")
    console.page.keyboard.press("n")
    expect(console.page.locator("[name=every]")).to_be_visible()


def show_invitation_form(console: ConsolePage) -> None:
    """The form of an invitation."""
    console.open("invitations")
    console.page.keyboard.press("n")
    expect(console.page.locator("[name=email]")).to_be_visible()


def show_email(console: ConsolePage) -> None:
    """An e-mail that was caught, with its link."""
    console.open("caught-emails")
    console.record(INVITED)


DETAILS: dict[str, Callable[[ConsolePage], None]] = {
    "user": show_user,
    "run": show_run,
    "role-form": show_role_form,
    "schedule-form": show_schedule_form,
    "invitation-form": show_invitation_form,
    "caught-email": show_email,
}


def screenshots(name: str) -> Path:
    """The directory for screenshots; a new one without a name."""
    directory = Path(name or tempfile.mkdtemp(prefix="console-"))
    directory.mkdir(parents=True, exist_ok=True)
    print(f"Screenshots: {directory.resolve()}")
    return directory


def main(name: str = "") -> str | None:
    """Start an instance, use the console; returns what was wrong, for `sys.exit`."""
    with (
        tempfile.TemporaryDirectory(prefix="mails-") as mails,
        mail_catcher(Path(mails)) as emails,
        prepared(**emails) as environment,
        serve("scripts.check.console_api:app", "/livez", environment) as server,
        worker(environment, TASKS),
        beat(environment, TASKS),
        browser() as chromium,
    ):
        url = f"http://127.0.0.1:{server.port}"
        admin, user = ConsolePage(chromium, url), ConsolePage(chromium, url)
        journey(admin, user)
        reader = ConsolePage(chromium, url)
        reader.sign_in(*ADMIN)
        use_emails(admin, reader)
        invite(admin)
        local = ConsolePage(chromium, f"http://localhost:{server.port}")  # passkeys belong to a name
        use_factors(local, *USER)
        wrong = [] if name == "--journey" else visit(admin, screenshots(name))
        wrong += [problem for page in (admin, user, reader, local) for problem in page.problems()]
    return "\n".join(wrong) or None


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
