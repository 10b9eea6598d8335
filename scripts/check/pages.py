"""Carries out pages.sh: `python -m scripts.check.pages [URL [DIRECTORY]]`."""

import json
import re
import sys
import tempfile
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from playwright.sync_api import Page, expect

from scripts.check.browser import Observed, browser, new_page
from scripts.check.instance import instance

ENDING = ("/api/v1/auth/logout", "/api/v1/auth/token/refresh")


def visit(page: Page, url: str, directory: Path) -> None:
    """Open each page, log in, and save screenshots."""
    page.goto(f"{url}/docs")
    expect(page.locator(".opblock").nth(5)).to_be_visible()
    page.screenshot(path=directory / "docs.png")
    page.locator("button.authorize").first.click()
    page.locator("#oauth_username").fill("admin")
    page.locator("#oauth_password").fill("123456")
    page.locator(".auth-btn-wrapper button.authorize").first.click()
    expect(page.locator(".auth-container").first).to_contain_text("Authorized")
    page.screenshot(path=directory / "authorized.png")
    page.locator(".auth-btn-wrapper .btn-done").first.click()
    for method in ("get", "post"):
        answers = {operation["operationId"]: try_out(page, operation) for operation in operations(url, method)}
        print(f"{len(answers)} {method.upper()}:", ", ".join(f"{name} {status}" for name, status in answers.items()))
    page.screenshot(path=directory / "tried.png")
    page.goto(f"{url}/redoc")
    expect(page.locator("[data-section-id]").nth(5)).to_be_attached()
    page.screenshot(path=directory / "redoc.png")
    page.goto(f"{url}/asyncapi")
    for channel in json.loads(read(f"{url}/asyncapi.json"))["channels"].values():
        expect(page.locator("#asyncapi")).to_contain_text(channel["address"])
    page.screenshot(path=directory / "asyncapi.png")


def operations(url: str, method: str) -> list[dict[str, Any]]:
    """The operations of a method, except those that end the page's login."""
    paths = json.loads(read(f"{url}/openapi.json"))["paths"]
    return [item[method] for path, item in paths.items() if method in item and not path.startswith(ENDING)]


def try_out(page: Page, operation: dict[str, Any]) -> str:
    """Send the examples of an operation unchanged; ends the program if it responds with an undocumented status."""
    block = page.locator(f"[id$=-{operation['operationId']}]")
    for button in (".opblock-summary-control", ".try-out__btn", ".execute"):
        block.locator(button).click()
    shown = block.locator(".live-responses-table tbody .response-col_status").first
    expect(shown).to_have_text(re.compile(r"\d{3}"))
    status = shown.inner_text().split()[0]
    if status not in operation["responses"]:
        sys.exit(f"{operation['operationId']} responded with {status}, which is not documented.")
    block.locator(".opblock-summary-control").click()  # fewer open blocks are faster
    return status


def read(url: str) -> str:
    """The response body of a GET."""
    with urlopen(url) as response:  # noqa: S310 - our own
        return str(response.read().decode())


def main(url: str, directory: str = "") -> str | None:
    """Visit the pages; returns the foreign hosts that they contacted, for `sys.exit`."""
    directory = directory or tempfile.mkdtemp(prefix="pages-")
    Path(directory).mkdir(parents=True, exist_ok=True)
    with browser() as chromium:
        page = new_page(chromium)
        observed = Observed(page)
        visit(page, url, Path(directory))
        page.wait_for_load_state()
        others = observed.asked_others(url)
    print(f"Logged in by the Authorize button. Screenshots: {Path(directory).resolve()}")
    return f"The pages asked others: {', '.join(others)}" if others else None


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.exit(main(*sys.argv[1:3]))
    with instance() as server:
        sys.exit(main(f"http://127.0.0.1:{server.port}"))
