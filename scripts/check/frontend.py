"""The pages of docs/frontend.md, built as it says, and used in Chromium."""

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from scripts.bench.servers import ROOT
from scripts.check.browser import new_page

SITE = ROOT / ".local/client"
FOLDER = SITE / "frontend"
PAGES = ("frontend/plain.html", "frontend/dist/index.html")
WIDTHS = (1200, 390)


def build(url: str) -> None:
    """Install and build in a copy of docs/client/frontend, whose API is at `url`."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    shutil.copytree(ROOT / "docs/client/frontend", FOLDER)
    for name in ("plain.js", "main.tsx"):
        (FOLDER / name).write_text((FOLDER / name).read_text().replace("http://localhost:16000", url))
    installs = re.findall(r"^npm install (.+)$", (ROOT / "docs/frontend.md").read_text(), re.MULTILINE)
    client = str(SITE / "typescript/api-client-0.1.0.tgz")
    for packages in installs:
        words = [client if word.endswith(".tgz") else word for word in packages.split()]
        run("npm", "install", "--no-package-lock", "--no-fund", "--no-audit", "--silent", *words)
    run("npx", "tsc")
    run("npx", "vite", "build", "--base", "./", "--logLevel", "warn")


def run(*command: str) -> None:
    """Run a program in the copy."""
    subprocess.run(command, cwd=FOLDER, check=True)  # noqa: S603 - ours


def use(chromium: Browser, url: str) -> None:
    """Log in on one page, publish, see it on another, log out on both; saves screenshots in two widths."""
    pictures = Path(tempfile.mkdtemp(prefix="frontend-"))
    first = new_page(chromium)
    second = first.context.new_page()
    first.goto(url)
    name = Path(url).parent.name
    expect(first.get_by_role("button", name="Log in")).to_be_visible()
    shoot(first, pictures / f"{name}-login")
    send(first, username="admin", password="wrong")  # noqa: S106 - wrong on purpose
    expect(first.get_by_text("Wrong username or password.")).to_be_visible()
    send(first, username="admin", password="123456")  # noqa: S106 - the initial administrator's
    expect(first.get_by_role("button", name="Publish")).to_be_visible()
    second.goto(url)
    expect(second.get_by_role("button", name="Publish")).to_be_visible()
    send(first, title="", body="Tonight at ten.")
    expect(first.get_by_text("title: ")).to_be_visible()
    for number in range(1, 4):
        send(first, title=f"Maintenance {number} of {name}", body="Tonight at ten, for an hour.")
        for page in (first, second):
            expect(page.get_by_text(f"Maintenance {number} of {name}").first).to_be_visible()
    shoot(second, pictures / f"{name}-list")
    first.get_by_role("button", name="Log out").click()
    for page in (first, second):
        expect(page.locator("[name=username]")).to_be_visible()
    print(f"{url}: logged in, live in two tabs, logged out of both. Screenshots: {pictures}")


def send(page: Page, **fields: str) -> None:
    """Fill a form, and send it."""
    for name, value in fields.items():
        page.locator(f"[name={name}]").fill(value)
    page.locator(f"[name={next(iter(fields))}]").press("Enter")


def shoot(page: Page, file: Path) -> None:
    """Save a screenshot in each width."""
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        page.screenshot(path=file.with_name(f"{file.name}-{width}.png"))
