"""Headless Chromium by Playwright, for the checks that open pages."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect, sync_playwright

from scripts.check.chromium import find_chromium

PATIENCE_MS = 60_000
LOCALHOST_ALONE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1"


@contextmanager
def browser() -> Iterator[Browser]:
    """A browser that reaches this machine alone; ends the program if none is installed."""
    path = find_chromium() or sys.exit("Chromium is not installed.")
    expect.set_options(timeout=PATIENCE_MS)
    options: Any = {"executable_path": path, "args": [LOCALHOST_ALONE]}
    with sync_playwright() as playwright, playwright.chromium.launch(**options) as running:
        yield running


def new_page(running: Browser, **options: Any) -> Page:
    """A page in a new profile, with the options of `Browser.new_context`; it waits up to `PATIENCE_MS`."""
    context = running.new_context(viewport={"width": 1280, "height": 800}, locale="en-GB", **options)
    context.set_default_timeout(PATIENCE_MS)
    return context.new_page()


class Observed:
    """What a page does.

    Attributes:
        requested: Every URL that it asked for, but those that its content security policy blocked.
        problems: Errors and warnings of its console, violations of its content security policy included; not the
            responses that are errors.
    """

    def __init__(self, page: Page) -> None:
        self.requested: list[str] = []
        self.problems: list[str] = []
        page.on("request", lambda request: self.requested.append(request.url))
        page.on("requestfailed", self._forget_blocked)
        page.on("console", self._note)
        page.on("pageerror", lambda error: self.problems.append(str(error)))

    def asked_others(self, url: str) -> list[str]:
        """What it asked of another origin than the URL's."""
        own = (f"{url}/", "data:", "blob:", "about:")
        return sorted({asked for asked in self.requested if not asked.startswith(own)})

    def _forget_blocked(self, request: Request) -> None:
        if request.failure == "csp":
            self.requested.remove(request.url)

    def _note(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not message.text.startswith("Failed to load resource"):
            self.problems.append(message.text)
