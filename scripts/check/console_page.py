"""A tab that shows the console, and what a person does in it."""

import json
import sys
from pathlib import Path
from typing import Any

from scripts.bench.servers import ROOT
from scripts.check.browser import Page

AXE = ROOT / ".local/axe/node_modules/axe-core/axe.min.js"
# Each finds one element.
BUTTON = """(text, inside) => {
    const all = document.querySelectorAll(`${inside} button, ${inside} a`);
    return [...all].find((it) => it.offsetParent !== null && !it.disabled && it.innerText.trim() === text);
}"""
CHOICE = "(field) => document.getElementById(`field-${field}`)?.closest('.el-select__wrapper')"
OPTION = """(text) => [...document.querySelectorAll(".el-select-dropdown__item")]
    .find((it) => it.offsetParent !== null && it.innerText.trim() === text)"""
PERMISSION = "(code) => [...document.querySelectorAll(`[data-code='${code}'] input`)].at(-1)"
ROW = "(text) => [...document.querySelectorAll('tbody tr')].find((it) => it.innerText.includes(text))"
AUDIT = """() => axe.run({ resultTypes: ["violations"] }).then(({ violations }) => violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, nodes }) => id + ": " + nodes.slice(0, 3).map(({ html, any }) => html + any[0]?.message)))"""
STILL = """() => Promise.all(document.getAnimations()
    .filter((it) => it.effect.getComputedTiming().endTime < Infinity).map((it) => it.finished.catch(() => {})))"""


CALL = """async (method, path, body) => {
    const { accessToken } = JSON.parse(Object.entries(localStorage).find(([, it]) => it.includes("accessToken"))[1]);
    const headers = { Authorization: `Bearer ${accessToken}`, "Content-Type": "application/json" };
    const response = await fetch(`/api/v1/${path}`, { method, headers, body: body || undefined });
    if (!response.ok) throw new Error(await response.text());
    return (await response.json()).data;
}"""
MAXIMUM_TABS = 60


class ConsolePage:
    """The console at `url`, in a tab."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self._url = url

    def address(self, place: str) -> str:
        """The address of a page of the console."""
        return f"{self._url}/console/{place}"

    def open(self, place: str) -> None:
        """Go to a page of the console, and wait until it has loaded."""
        self.page.open(self.address(place))
        self.page.wait("!!document.querySelector('main h1, main .state') && !document.querySelector('.spinner')")

    def sign_in(self, username: str, password: str) -> None:
        """Sign in; the frame is shown then."""
        self.page.open(f"{self._url}/console")
        self.fill(username=username, password=password)
        self.click("Sign in", "form")
        self.page.wait("!!document.querySelector('.frame')")

    def click(self, text: str, inside: str = "body") -> None:
        """Press a button or link with this text."""
        self.press(BUTTON, text, inside)

    def press(self, find: str, *arguments: str) -> None:
        """Wait for the element that a function finds, and press it."""
        found = f"({find})({', '.join(map(json.dumps, arguments))})"
        self.page.wait(f"!!{found}")
        self.page.run(f"void {found}.click()")

    def fill(self, **fields: str) -> None:
        """Type into input fields, by their names."""
        for name, value in fields.items():
            self.page.fill(f"[name={name}]", value)

    def choose(self, field: str, option: str) -> None:
        """Choose from a list of the open dialog."""
        self.press(CHOICE, field)
        self.press(OPTION, option)

    def tick(self, code: str) -> None:
        """Tick a permission in the tree of the open dialog, or take it away."""
        self.press(PERMISSION, code)

    def shows(self, text: str) -> None:
        """Return once a text is shown."""
        self.page.wait(f"document.body.innerText.includes({json.dumps(text)})")

    def shows_in_the_end(self, text: str) -> None:
        """Load the page's list again until a text is shown."""
        self.reload_until(f"document.body.innerText.includes({json.dumps(text)})")

    def reload_until(self, condition: str) -> None:
        """Load the page's list again until an expression is true."""
        self.page.wait(f"{condition} || void document.querySelector('[data-key=r]:not(.is-loading)')?.click()")

    def key(self, name: str) -> None:
        """Press a key: a character, or such as `Tab`."""
        text = {"text": name} if len(name) == 1 else {"text": "\r"} if name == "Enter" else {}
        number = {"Tab": 9, "Enter": 13, "Escape": 27, "ArrowDown": 40, "ArrowUp": 38}.get(name, 0)
        for kind in ("keyDown", "keyUp"):
            self.page.send(
                "Input.dispatchKeyEvent", type=kind, key=name, code=name, windowsVirtualKeyCode=number, **text
            )

    def row(self, text: str) -> None:
        """Open the record of the first row with this text."""
        self.press(ROW, text)
        self.page.wait("!!document.querySelector('.el-drawer__body .fields')")

    def confirm(self) -> None:
        """Answer the question whether to go on."""
        self.click("Yes", ".el-message-box")

    def call(self, method: str, path: str, body: object = None) -> Any:
        """Call the API as whoever has signed in; returns the data."""
        return self.page.run(CALL, method, path, "" if body is None else json.dumps(body))

    def offline(self, *, is_lost: bool) -> None:
        """Take the network away, or give it back."""
        self.page.send(
            "Network.emulateNetworkConditions", offline=is_lost, latency=0, downloadThroughput=-1, uploadThroughput=-1
        )

    def tab_until(self, condition: str) -> None:
        """Press Tab until an expression is true; ends the program after too many."""
        for _ in range(MAXIMUM_TABS):
            if self.page.run(condition):
                return
            self.key("Tab")
        sys.exit(f"Tab does not lead there: {condition}")

    def look(self, theme: str, language: str, width: int) -> None:
        """Set theme, language and width; the next page that is opened has them."""
        self.page.run("(theme, language) => void Object.assign(localStorage, { theme, language })", theme, language)
        self.page.resize(width, 800)

    def audit(self) -> list[str]:
        """What axe-core finds serious or critical in what is shown, and whether the page is wider than its window."""
        self.page.run(f"void (() => {{ {AXE.read_text()} }})()")
        found: list[Any] = self.page.run(f"({AUDIT})()")
        wide = self.page.run("document.documentElement.scrollWidth > innerWidth + 1")
        return [*found, *(["wider than its window"] if wide else [])]

    def save(self, file: Path) -> None:
        """Save a screenshot, when nothing moves any more."""
        self.page.run(f"({STILL})().then(() => true)")
        self.page.save(file)
