"""A page that shows the console, and what a person does in it."""

import re
from collections.abc import Mapping
from contextlib import AbstractContextManager
from http import HTTPStatus
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Locator, expect

from scripts.bench.servers import ROOT
from scripts.check.browser import Observed, new_page

AXE = ROOT / ".local/axe/node_modules/axe-core/axe.min.js"
AUDIT = """() => axe.run({ resultTypes: ["violations"] }).then(({ violations }) => violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, nodes }) => id + ": " + nodes.slice(0, 3).map(({ html, any }) => html + any[0]?.message)))"""
STILL = """() => Promise.all(document.getAnimations()
    .filter((it) => it.effect.getComputedTiming().endTime < Infinity).map((it) => it.finished.catch(() => {})))"""
CALL = """async ([method, path, body]) => {
    const { accessToken } = JSON.parse(Object.entries({ ...localStorage, ...sessionStorage })
        .find(([, it]) => it.includes("accessToken"))[1]);
    const headers = { Authorization: `Bearer ${accessToken}`, "Content-Type": "application/json" };
    const response = await fetch(`/api/v1/${path}`, { method, headers, body: body ? JSON.stringify(body) : undefined });
    return (await response.json()).data;
}"""
MAXIMUM_TABS = 60


class ConsolePage:
    """The console at `url`, in a page of its own profile.

    Attributes:
        page: The page; what it does is `observed`.
    """

    def __init__(self, running: Browser, url: str) -> None:
        self.page = new_page(running)
        self.observed = Observed(self.page)
        self.url = url
        self.look("light", "en", 1280)

    @property
    def live(self) -> Locator:
        """What tells that events arrive."""
        return self.page.locator(".live.on")

    def open(self, place: str) -> None:
        """Go to a page of the console, and wait until it has loaded."""
        self.page.goto(f"{self.url}/console/{place}")
        expect(self.page.locator("main h1, main .state").first).to_be_visible()
        expect(self.page.locator(".spinner, #content [data-key=r].is-loading")).to_have_count(0)

    def sign_in(self, username: str, password: str) -> None:
        """Sign in, and wait for an answer."""
        self.page.goto(f"{self.url}/console")
        self.page.get_by_label("Username").fill(username)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Sign in", exact=True).click()
        expect(self.page.locator(".frame, main .state, #proof").first).to_be_visible()

    def button(self, name: str) -> Locator:
        """The button with this name."""
        return self.page.get_by_role("button", name=name, exact=True)

    def dialog(self, name: str) -> Locator:
        """The dialog with this title."""
        return self.page.get_by_role("dialog", name=name)

    def row(self, text: str) -> Locator:
        """The first row with this text."""
        return self.page.locator("tbody tr", has_text=text).first

    def record(self, text: str) -> Locator:
        """Open the record of the first row with this text; returns where it is shown."""
        self.row(text).press("Enter")
        shown = self.page.locator(".el-drawer__body:visible")
        expect(shown.locator(".fields")).to_be_visible()
        return shown

    def fill(self, dialog: Locator, fields: Mapping[str, str]) -> None:
        """Type into the fields of a dialog, by their names."""
        for name, value in fields.items():
            dialog.locator(f"[name='{name}']").fill(value)

    def choose(self, dialog: Locator, field: str, option: str) -> None:
        """Choose an option in a field of a dialog."""
        dialog.locator(".el-select__wrapper", has=self.page.locator(f"#field-{field}")).click()
        self.page.get_by_role("option", name=option, exact=True).click()
        self.page.keyboard.press("Tab")  # closes the list, if several can be chosen

    def tick(self, dialog: Locator, code: str) -> None:
        """Find a permission in the tree of a dialog, and tick it or take it away."""
        dialog.get_by_label("Find a permission").fill(code)
        dialog.locator(f"[data-code='{code}']").click()

    def confirm(self) -> None:
        """Answer the question whether to go on."""
        self.dialog("Are you sure?").get_by_role("button", name="Yes").click()

    def shows(self, text: str) -> None:
        """Return once a text is shown."""
        expect(self.page.get_by_text(text).filter(visible=True).first).to_be_visible()

    def reload_until(self, condition: Locator) -> None:
        """Load the page's list again and again until it shows something."""
        while not condition.first.is_visible():
            with self.page.expect_response("**/api/v1/**"):
                self.button("Reload").click()
            self.page.wait_for_timeout(300)

    def call(self, method: str, path: str, body: object = None) -> Any:
        """Call the API as whoever has signed in; returns the data, None with an error."""
        return self.page.evaluate(CALL, [method, path, body])

    def gets(self, path: str, status: HTTPStatus) -> AbstractContextManager[Any]:
        """Leave the block once the API has answered a GET of the path with the status."""
        url = re.compile(rf"/api/v1/{path}(\?|$)")
        return self.page.expect_response(lambda response: bool(url.search(response.url)) and response.status == status)

    def tab_until(self, condition: str) -> None:
        """Press Tab until an expression is true.

        Raises:
            AssertionError: It was not after many.
        """
        for _ in range(MAXIMUM_TABS):
            if self.page.evaluate(condition):
                return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"Tab does not lead there: {condition}")

    def look(self, theme: str, language: str, width: int) -> None:
        """Set theme, language and width for the pages that are opened from now on."""
        self.page.add_init_script(f"Object.assign(localStorage, {{ theme: '{theme}', language: '{language}' }})")
        self.page.set_viewport_size({"width": width, "height": 800})

    def audit(self) -> list[str]:
        """What axe-core finds serious or critical in what is shown, and whether the page is wider than its window."""
        self.page.evaluate(f"() => {{ {AXE.read_text()} }}")
        found: list[str] = self.page.evaluate(AUDIT)
        is_wide = self.page.evaluate("document.documentElement.scrollWidth > innerWidth + 1")
        return [*found, *(["wider than its window"] if is_wide else [])]

    def save(self, file: Path) -> None:
        """Save a screenshot, when nothing moves any more."""
        self.page.evaluate(STILL)
        self.page.screenshot(path=file)

    def problems(self) -> list[str]:
        """What should not have happened: errors, and requests to other hosts."""
        return [*self.observed.problems, *(f"asked {other}" for other in self.observed.asked_others(self.url))]
