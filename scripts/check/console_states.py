"""The console where something is missing: `python -m scripts.check.console_states [DIRECTORY]`.

In production, without and with `console.use`; nothing to show, something forbidden or unknown, a conflicting change,
a lost network, an ended session; and each page by keyboard alone. Saves a screenshot of each.
"""

import sys
from pathlib import Path
from uuid import uuid4

from playwright.sync_api import expect

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
    """An administrator and a user, and where the screenshots go."""

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
        self.admin.button("Change password").click()
        form = self.admin.dialog("Change password")
        self.admin.fill(form, {"oldPassword": FIRST[1], "newPassword": ADMIN[1]})
        form.get_by_role("button", name="Save").click()
        expect(self.admin.page.locator(".banner")).to_have_count(0)

    def restricted(self) -> None:
        """Without `console.use` nothing but the refusal is shown; with it, the pages are."""
        role = {"name": "Reader", "description": ""}
        codes = ["GET:/api/v1/users", "GET:/api/v1/permissions/mine"]
        made = self.admin.call("POST", "roles", {**role, "code": "reader", "interfacePermissions": codes})
        self.admin.open("users")
        self.admin.button("New user").click()
        form = self.admin.dialog("New user")
        self.admin.fill(form, {"username": USER[0], "name": "Eve", "email": "eve@example.com", "password": USER[1]})
        self.admin.choose(form, "roles", "reader")
        form.get_by_role("button", name="Create").click()
        expect(self.admin.row("eve@example.com")).to_be_visible()
        self.user.sign_in(*USER)
        self.user.shows("console.use")
        self.save(self.user, "without-console-use")
        self.admin.call("PUT", f"roles/{made['id']}", {**role, "interfacePermissions": [*codes, "console.use"]})
        self.user.open("users")
        expect(self.user.row("eve@example.com")).to_be_visible()
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
        self.admin.button("Edit").click()
        self.admin.call("PATCH", f"notices/{made['id']}", {"title": "Theirs"})
        form = self.admin.dialog("Edit Before")
        self.admin.fill(form, {"title": "Mine"})
        form.get_by_role("button", name="Save").click()
        expect(form.locator("[data-state=conflict]")).to_be_visible()
        self.save(self.admin, "conflict")
        form.get_by_role("button", name="Drop my changes and load theirs").click()
        self.admin.shows("Theirs")

    def lost_network(self) -> None:
        """The page says that the server cannot be reached, and loads by itself when it can."""
        self.admin.open("users")
        expect(self.admin.live).to_be_visible()
        self.admin.page.context.set_offline(True)
        self.admin.button("Reload").click()
        self.admin.shows("The server cannot be reached. Trying again")
        self.save(self.admin, "network-lost")
        self.admin.page.context.set_offline(False)
        expect(self.admin.page.locator(".banner")).to_have_count(0)
        expect(self.admin.live).to_be_visible()
        self.save(self.admin, "network-healed")

    def session_ended(self) -> None:
        """The administrator ends the user's sessions; the user's page says so without having asked."""
        self.user.open("users")
        expect(self.user.live).to_be_visible()
        user_id = self.user.call("GET", "auth/user/info")["id"]
        self.admin.call("DELETE", f"users/{user_id}/sessions")
        self.user.shows("Your session has ended")
        self.save(self.user, "session-ended")

    def keyboard(self) -> None:
        """Each page by Tab, Enter and Escape; `/` finds a record by its id, `n` creates."""
        page = self.admin.page
        for place in PAGES:
            self.admin.open(place)
            self.admin.tab_until(f"!!{ACTIVE}.closest('#content')")
        self.admin.open("users")
        self.admin.tab_until(f"{ACTIVE}.matches('tbody tr')")
        page.keyboard.press("Enter")
        expect(page.locator(".el-drawer .fields")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.locator(".el-drawer")).to_be_hidden()
        page.keyboard.press("n")
        expect(self.admin.dialog("New user").locator("[name=username]")).to_be_visible()
        page.keyboard.press("Escape")
        expect(self.admin.dialog("New user")).to_be_hidden()
        page.keyboard.press("/")
        expect(page.get_by_label("Search by id")).to_be_focused()
        user_id = self.admin.call("GET", "auth/user/info")["id"]
        page.keyboard.insert_text(user_id)
        page.keyboard.press("Enter")
        page.wait_for_url(f"**/users?open={user_id}")
        print("Each page was reached, and a record opened, by keyboard.")


def main(name: str = "") -> str | None:
    """Start an instance in production mode, and see each state; returns what was wrong, for `sys.exit`."""
    directory = screenshots(name)
    with (
        prepared(**PRODUCTION) as environment,
        serve("src.main:app", "/livez", environment) as server,
        browser() as chromium,
    ):
        pages = [ConsolePage(chromium, f"http://127.0.0.1:{server.port}") for _ in range(2)]
        states = States(pages[0], pages[1], directory)
        states.first_password()
        states.restricted()
        states.empty_forbidden_unknown()
        states.conflict()
        states.lost_network()
        states.keyboard()
        states.session_ended()
        problems = [problem for page in pages for problem in page.problems() if "WebSocket" not in problem]
    return "\n".join(problems) or None


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
