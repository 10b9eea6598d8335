"""The console in Chromium: `python -m scripts.check.console --journey`, or `[DIRECTORY]`: every page as well."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import product
from pathlib import Path

from scripts.bench.servers import ROOT, serve
from scripts.check.browser import browser
from scripts.check.console_page import ROW, ConsolePage
from scripts.check.instance import prepared, worker
from scripts.local.applications import CELERY, SCHEDULER

ADMIN = "admin", "123456"
USER = "ada", "correct horse battery staple"
READS_USERS = "GET:/api/v1/users"
PAGES = (
    *("overview", "runs", "dead-letters", "schedules", "tasks", "clients", "health", "notices", "files"),
    *("users", "roles", "audit-log", "account"),
)
DONE = (  # what the journey did, as the audit log has it
    *("POST:/api/v1/roles", "POST:/api/v1/users", "POST:/api/v1/schedules", "POST:/api/v1/tasks/{taskName}/runs"),
    *("POST:/api/v1/tasks/runs/{taskId}/retry", "DELETE:/api/v1/users/{userId}/sessions/{sessionId}"),
    "PUT:/api/v1/roles/{roleId}",
)


@contextmanager
def beat(environment: dict[str, str]) -> Iterator[None]:
    """A beat beside the worker."""
    command = [*CELERY, "beat", "-S", SCHEDULER, "-l", "warning"]
    output = subprocess.DEVNULL
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output) as process:  # noqa: S603 - ours
        try:
            yield
        finally:
            process.terminate()


def journey(admin: ConsolePage, user: ConsolePage) -> None:
    """Each step waits for what it should lead to, and ends the program if that does not come."""
    make_role_and_user(admin)
    user.sign_in(*USER)
    user.open("users")
    user.shows("ada@example.com")
    user.open("roles")
    user.shows("You may not see this.")
    user.shows("GET:/api/v1/roles")
    print("A role, a user with it, who sees users and no roles.")
    watch_runs(admin)
    retry(admin)
    disconnect(admin, user)
    end_session(admin, user)
    take_permission(admin, user)
    admin.open("audit-log")
    for action in DONE:
        admin.shows_in_the_end(action)
    print("All of it is in the audit log.")


def make_role_and_user(admin: ConsolePage) -> None:
    """A role with two permissions, chosen in the tree, and a user with it."""
    admin.open("roles")
    admin.click("New role")
    admin.fill(name="Reader", code="reader")
    for code in (READS_USERS, "GET:/api/v1/permissions/mine"):
        admin.tick(code)
    admin.click("Create", ".el-dialog")
    admin.shows("Reader")
    admin.open("users")
    admin.click("New user")
    admin.fill(username=USER[0], name="Ada", email="ada@example.com", password=USER[1])
    admin.choose("roles", "reader")
    admin.click("Create", ".el-dialog")
    admin.shows("ada@example.com")


def watch_runs(admin: ConsolePage) -> None:
    """A schedule that runs each second; its runs appear in the list, which is not loaded again."""
    admin.open("schedules")
    admin.click("New schedule")
    admin.fill(name="Ping", every="1")
    admin.choose("task", "system.ping")
    admin.choose("period", "seconds")
    admin.click("Next five runs", ".el-dialog")
    admin.page.wait("document.querySelectorAll('.el-dialog .preview time').length === 5")
    admin.click("Save", ".el-dialog")
    admin.shows("every 1 seconds")
    admin.open("runs")
    admin.page.wait("!!document.querySelector('.live.on') && !document.querySelector('[data-key=r].is-loading')")
    requests = len(admin.page.requested)
    pings = "[...document.querySelectorAll('tbody tr')].filter((it) => it.innerText.includes('system.ping')).length"
    seen = admin.page.run(pings)
    admin.page.wait(f"{pings} >= {seen + 3}")
    if len(admin.page.requested) != requests:
        sys.exit("The list of runs was loaded again.")
    print("Runs that beat started appeared as they happened.")


def retry(admin: ConsolePage) -> None:
    """A run that fails is retried."""
    admin.open("tasks")
    admin.press(f"() => [...({ROW})('notices.announce').querySelectorAll('button')].at(-1)")
    admin.page.fill("[name='kwargs.notice_id']", "nonsense")
    admin.click("Send", ".el-dialog")
    admin.shows("FAILURE")
    admin.click("Run again", ".el-drawer")
    admin.shows("Sent again.")
    admin.shows("Retried by")
    admin.open("runs?state=FAILURE")
    admin.press("() => document.querySelector('thead .pick input')")
    admin.shows("chosen")
    admin.click("Retry", ".chosen")
    admin.confirm()
    admin.shows("Sent again.")
    print("A failed run was retried; all that were chosen as well.")


def disconnect(admin: ConsolePage, user: ConsolePage) -> None:
    """The administrator finds the user's socket and disconnects it; the user's page connects again."""
    user.open("users")
    user.page.wait("!!document.querySelector('.live.on')")
    admin.open("clients")
    admin.shows("ada")
    identify = f"({ROW})('ada').lastElementChild.previousElementSibling.querySelector('button').title"
    before = admin.page.run(identify)
    admin.press(f"() => ({ROW})('ada').querySelector('.row-actions button')")
    admin.confirm()
    admin.reload_until(f"!!({ROW})('ada') && {identify} !== {json.dumps(before)}")
    user.page.wait("!!document.querySelector('.live.on')")
    print("A connected client was disconnected, and came back.")


def end_session(admin: ConsolePage, user: ConsolePage) -> None:
    """The administrator ends the user's session: the user's page says so, without having asked."""
    user.open("users")
    user.shows("live")
    admin.open("users")
    admin.row("ada@example.com")
    admin.click("End", ".el-drawer .sessions")
    admin.confirm()
    user.shows("Your session has ended")
    print("The end of a session was shown where it ended.")


def take_permission(admin: ConsolePage, user: ConsolePage) -> None:
    """The administrator takes a permission away; the user's next request is refused."""
    user.sign_in(*USER)
    user.open("users")
    user.shows("ada@example.com")
    admin.open("roles")
    admin.row("Reader")
    admin.click("Edit", ".el-drawer")
    admin.tick(READS_USERS)
    admin.click("Who gains, who loses?", ".el-dialog")
    admin.page.wait("!!document.querySelector('.preview .problem')")
    admin.click("Save", ".el-dialog")
    admin.page.wait("!document.querySelector('.el-dialog')?.offsetParent")
    user.click("Reload")
    user.shows("You may not see this.")
    print("A permission that was taken away was refused on the next request.")


def visit(console: ConsolePage, directory: Path) -> list[str]:
    """Every page in both themes, widths and languages; saves screenshots, returns what axe-core found."""
    shows = {place: partial(ConsolePage.open, place=place) for place in PAGES} | DETAILS
    found = []
    for theme, width, language in product(("light", "dark"), (1280, 390), ("en", "zh")):
        console.look(theme, language, width)
        for name, show in shows.items():
            show(console)
            console.save(directory / f"{name}-{theme}-{width}-{language}.png")
            found += [f"{name}, {theme}, {width}, {language}: {problem}" for problem in console.audit()]
    return found


def show_user(console: ConsolePage) -> None:
    """One user, with sessions."""
    console.open("users")
    console.row("ada@example.com")


def show_run(console: ConsolePage) -> None:
    """A run that failed."""
    console.open("runs?state=FAILURE")
    console.row("notices.announce")


def show_role_form(console: ConsolePage) -> None:
    """The form of a role, with its tree."""
    console.open("roles")
    console.press("() => document.querySelector('[data-key=n]')")
    console.page.wait("!!document.querySelector('.branches summary')")
    console.page.run("document.querySelector('.branches details').open = true")


def show_schedule_form(console: ConsolePage) -> None:
    """The form of a schedule."""
    console.open("schedules")
    console.press("() => document.querySelector('[data-key=n]')")
    console.page.wait("!!document.querySelector('[name=every]')")


DETAILS = {"user": show_user, "run": show_run, "role-form": show_role_form, "schedule-form": show_schedule_form}


def screenshots(name: str) -> Path:
    """The directory for screenshots; a new one without a name."""
    directory = Path(name or tempfile.mkdtemp(prefix="console-"))
    directory.mkdir(parents=True, exist_ok=True)
    print(f"Screenshots: {directory.resolve()}")
    return directory


def main(name: str = "") -> str | None:
    """Start an instance, use the console; returns what was wrong, for `sys.exit`."""
    with (
        prepared() as environment,
        serve("src.main:app", "/livez", environment) as server,
        worker(environment),
        beat(environment),
        browser() as chromium,
        browser() as another,
    ):
        url = f"http://127.0.0.1:{server.port}"
        admin, user = ConsolePage(chromium.tab(), url), ConsolePage(another.tab(), url)
        for page in (admin, user):
            page.page.open(f"{url}/console")
            page.look("light", "en", 1280)
        admin.sign_in(*ADMIN)
        journey(admin, user)
        wrong = [] if name == "--journey" else visit(admin, screenshots(name))
        asked = {*admin.page.requested.values(), *user.page.requested.values()}
        wrong += [f"asked {other}" for other in asked if not other.startswith((f"{url}/", "data:", "blob:", "about:"))]
        wrong += admin.page.problems + user.page.problems
    return "\n".join(wrong) or None


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
