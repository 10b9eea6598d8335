"""Carries out pages.sh: `python -m scripts.check.pages [URL [DIRECTORY]]`."""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from scripts.check.browser import Page, browser
from scripts.check.instance import instance

ENDING = ("/api/v1/auth/logout", "/api/v1/auth/token/refresh")


def visit(page: Page, url: str, directory: Path) -> None:
    """Open each page, log in, and save screenshots."""
    page.open(f"{url}/docs")
    page.wait("document.querySelectorAll('.opblock').length > 5")
    page.save(directory / "docs.png")
    page.click("button.authorize")
    page.fill("#oauth_username", "admin")
    page.fill("#oauth_password", "123456")
    page.click(".auth-btn-wrapper button.authorize")
    page.wait("document.querySelector('.auth-container')?.innerText.includes('Authorized')")
    page.save(directory / "authorized.png")
    page.click(".auth-btn-wrapper .btn-done")
    for method in ("get", "post"):
        answers = {operation["operationId"]: try_out(page, operation) for operation in operations(url, method)}
        print(f"{len(answers)} {method.upper()}:", ", ".join(f"{name} {status}" for name, status in answers.items()))
    page.save(directory / "tried.png")
    page.open(f"{url}/redoc")
    page.wait("document.querySelectorAll('[data-section-id]').length > 5")
    page.save(directory / "redoc.png")
    page.open(f"{url}/asyncapi")
    events = [channel["address"] for channel in json.loads(read(f"{url}/asyncapi.json"))["channels"].values()]
    shown = "document.querySelector('#asyncapi')?.innerText ?? ''"
    page.wait(f"{json.dumps(events)}.every((event) => ({shown}).includes(event))")
    page.save(directory / "asyncapi.png")


def operations(url: str, method: str) -> list[dict[str, Any]]:
    """The operations of a method, except those that end the page's login."""
    paths = json.loads(read(f"{url}/openapi.json"))["paths"]
    return [item[method] for path, item in paths.items() if method in item and not path.startswith(ENDING)]


def try_out(page: Page, operation: dict[str, Any]) -> str:
    """Send the examples of an operation unchanged; ends the program if it responds with an undocumented status."""
    block = f"[id$=-{operation['operationId']}]"
    for button in (".opblock-summary-control", ".try-out__btn", ".execute"):
        page.click(f"{block} {button}")
    shown = f"document.querySelector('{block} .live-responses-table tbody .response-col_status')?.innerText ?? ''"
    page.wait(f"({shown}).trim() !== ''")
    status = str(page.run(shown).split()[0])
    if status not in operation["responses"]:
        sys.exit(f"{operation['operationId']} responded with {status}, which is not documented.")
    page.click(f"{block} .opblock-summary-control")  # fewer open blocks are faster
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
        page = chromium.tab()
        visit(page, url, Path(directory))
        page.wait("document.readyState === 'complete'")
        own = (f"{url}/", "data:", "blob:", "about:")
        others = {asked for asked in page.requested.values() if not asked.startswith(own)}
    print(f"Logged in by the Authorize button. Screenshots: {Path(directory).resolve()}")
    return f"The pages asked others: {', '.join(sorted(others))}" if others else None


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.exit(main(*sys.argv[1:3]))
    with instance() as server:
        sys.exit(main(f"http://127.0.0.1:{server.port}"))
