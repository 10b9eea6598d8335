"""The console where something is missing: `python -m scripts.check.console_states [DIRECTORY]`.

In production, without and with `console.use`; nothing to show, something forbidden or unknown, a conflicting change,
a lost network, an ended session; and each page by keyboard alone. Saves a screenshot of each.
"""

import sys
from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

from scripts.bench.servers import serve
from scripts.check.browser import browser
from scripts.check.console import PAGES, screenshots
from scripts.check.console_page import ConsolePage
from scripts.check.instance import prepared

FIRST, ADMIN = ("admin", "a first password for admin"), ("admin", "another password for admin")
USER = "eve", "correct horse battery staple"
ACTIVE = "document.activeElement"
PRODUCTION = {"ENVIRONMENT": "PRODUCTION", "CONSOLE_ENABLED": "true", "INITIAL_ADMIN_PASSWORD": FIRST[1]}


class States:
    """An administrator and a user in two browsers, and where the screenshots go."""

    def __init__(self, admin: ConsolePage, user: ConsolePage, directory: Path) -> None:
        self.admin, self.user, self.directory = admin, user, directory

    def save(self, page: ConsolePage, name: str) -> None:
        """Save a screenshot."""
        page.save(self.directory / f"state-{name}.png")
        print(f"Seen: {name}.")

    def first_password(self) -> None:
        """The initial administrator has to change the password before anything else."""
        self.admin.sign_in(*FIRST)
        self.admin.shows("Change your password first")
        self.save(self.admin, "must-change-password")
        self.admin.open("account")
        self.admin.click("Change password")
        self.admin.fill(oldPassword=FIRST[1], newPassword=ADMIN[1])
        self.admin.click("Save", ".el-dialog")
        self.admin.page.wait("!document.querySelector('.banner')")

    def restricted(self) -> None:
        """Without `console.use` nothing but the refusal is shown; with it, the pages are."""
        role = {"name": "Reader", "code": "reader", "description": ""}
        codes = ["GET:/api/v1/users", "GET:/api/v1/permissions/mine"]
        made = self.admin.call("POST", "roles", {**role, "interfacePermissions": codes})
        self.admin.open("users")
        self.admin.click("New user")
        self.admin.fill(username=USER[0], name="Eve", email="eve@example.com", password=USER[1])
        self.admin.choose("roles", "reader")
        self.admin.click("Create", ".el-dialog")
        self.admin.shows("eve@example.com")
        self.user.page.open(self.user.address(""))
        self.user.fill(username=USER[0], password=USER[1])
        self.user.click("Sign in", "form")
        self.user.shows("console.use")
        self.save(self.user, "without-console-use")
        change = {
            key: value
            for key, value in {**role, "interfacePermissions": [*codes, "console.use"]}.items()
            if key != "code"
        }
        self.admin.call("PUT", f"roles/{made['id']}", change)
        self.user.open("users")
        self.user.shows("eve@example.com")
        self.save(self.user, "with-console-use")

    def empty_forbidden_unknown(self) -> None:
        """A list without records, filters that match nothing, a page that is forbidden, and a record that is gone."""
        self.admin.open("dead-letters")
        self.admin.shows("No message was given up.")
        self.save(self.admin, "empty")
        self.admin.open("users?keyword=nobody")
        self.admin.shows("Nothing matches.")
        self.save(self.admin, "no-match")
        self.admin.open(f"users?open={uuid4()}")
        self.admin.shows("It does not exist")
        self.save(self.admin, "unknown")
        self.user.open("roles")
        self.user.shows("You may not see this.")
        self.save(self.user, "forbidden")

    def conflict(self) -> None:
        """A notice that somebody else has changed meanwhile."""
        notice = {"title": "Before", "body": "Text", "expiresAt": "2099-01-01T00:00:00Z"}
        made = self.admin.call("POST", "notices", notice)
        self.admin.open(f"notices?open={made['id']}")
        self.admin.click("Edit", ".el-drawer")
        self.admin.call("PATCH", f"notices/{made['id']}", {"title": "Theirs"})
        self.admin.fill(title="Mine")
        self.admin.click("Save", ".el-dialog")
        self.admin.page.wait("!!document.querySelector('[data-state=conflict]')")
        self.save(self.admin, "conflict")
        self.admin.click("Drop my changes and load theirs")
        self.admin.shows("Theirs")

    def lost_network(self) -> None:
        """The page says that the server cannot be reached, and loads by itself when it can."""
        self.admin.open("users")
        self.admin.page.wait("!!document.querySelector('.live.on')")
        self.admin.offline(is_lost=True)
        self.admin.click("Reload")
        self.admin.shows("The server cannot be reached. Trying again")
        self.save(self.admin, "network-lost")
        self.admin.offline(is_lost=False)
        self.admin.page.wait("!document.querySelector('.banner') && !!document.querySelector('.live.on')")
        self.save(self.admin, "network-healed")

    def session_ended(self) -> None:
        """The administrator ends the user's sessions; the user's page says so without having asked."""
        self.user.open("users")
        self.user.page.wait("!!document.querySelector('.live.on')")
        user_id = self.user.call("GET", "auth/user/info")["id"]
        self.admin.call("DELETE", f"users/{user_id}/sessions")
        self.user.shows("Your session has ended")
        self.save(self.user, "session-ended")

    def keyboard(self) -> None:
        """Each page by Tab, Enter and Escape; `/` finds a record by its id, `n` creates."""
        for place in PAGES:
            self.admin.open(place)
            self.admin.page.wait("!!document.querySelector('#content [data-key=r]:not(.is-loading)')")
            self.admin.tab_until(f"!!{ACTIVE}.closest('#content')")
        self.admin.open("users")
        self.admin.tab_until(f"{ACTIVE}.matches('tbody tr')")
        self.admin.key("Enter")
        self.admin.page.wait("!!document.querySelector('.el-drawer__body .fields')")
        self.admin.key("Escape")
        self.admin.page.wait("!document.querySelector('.el-drawer')?.offsetParent")
        self.admin.key("n")
        self.admin.page.wait("!!document.querySelector('.el-dialog [name=username]')")
        self.admin.key("Escape")
        self.admin.page.wait("![...document.querySelectorAll('.el-dialog')].some((it) => it.offsetParent)")
        self.admin.key("/")
        self.admin.page.wait(f"{ACTIVE}.matches('[data-key=\"/\"]')")
        user_id = self.admin.call("GET", "auth/user/info")["id"]
        self.admin.page.send("Input.insertText", text=user_id)
        self.admin.key("Enter")
        self.admin.page.wait(f"location.search.includes('{user_id}')")
        print("Each page was reached, and a record opened, by keyboard.")


def main(name: str = "") -> str | None:
    """Start an instance in production mode, and see each state; returns what was wrong, for `sys.exit`."""
    directory = screenshots(name)
    with ExitStack() as stack:
        environment = stack.enter_context(prepared(**PRODUCTION))
        server = stack.enter_context(serve("src.main:app", "/livez", environment))
        pages = []
        for chromium in (stack.enter_context(browser()), stack.enter_context(browser())):
            page = ConsolePage(chromium.tab(), f"http://127.0.0.1:{server.port}")
            page.page.open(page.address(""))
            page.look("light", "en", 1280)
            pages.append(page)
        states = States(pages[0], pages[1], directory)
        states.first_password()
        states.restricted()
        states.empty_forbidden_unknown()
        states.conflict()
        states.lost_network()
        states.keyboard()
        states.session_ended()
        problems = [problem for page in pages for problem in page.page.problems if "WebSocket" not in problem]
    return "\n".join(problems) or None


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
