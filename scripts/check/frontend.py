"""The pages of docs/frontend.md, built as it says, and used in Chromium."""

import json
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from scripts.bench.servers import ROOT
from scripts.check.browser import Browser, Page

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
    first, second = chromium.tab(), chromium.tab()
    first.open(url)
    name = Path(url).parent.name
    shown(first, "Log in")
    shoot(first, pictures / f"{name}-login")
    send(first, username="admin", password="wrong")  # noqa: S106 - wrong on purpose
    shown(first, "Wrong username or password.")
    send(first, username="admin", password="123456")  # noqa: S106 - the initial administrator's
    shown(first, "Publish")
    second.open(url)
    shown(second, "Publish")
    send(first, title="", body="Tonight at ten.")
    shown(first, "title: ")
    for number in range(1, 4):
        send(first, title=f"Maintenance {number} of {name}", body="Tonight at ten, for an hour.")
        for page in (first, second):
            shown(page, f"Maintenance {number} of {name}")
    shoot(second, pictures / f"{name}-list")
    first.run("[...document.querySelectorAll('button')].find((it) => it.innerText === 'Log out').click()")
    for page in (first, second):
        shown(page, "Username")
    print(f"{url}: logged in, live in two tabs, logged out of both. Screenshots: {pictures}")


def send(page: Page, **fields: str) -> None:
    """Fill a form, and send it."""
    for name, value in fields.items():
        page.fill(f"[name={name}]", value)
    page.run("(name) => document.querySelector(`[name=${name}]`).form.requestSubmit()", next(iter(fields)))


def shown(page: Page, text: str) -> None:
    """Return once the page shows a text, or an input field with that placeholder."""
    visible = "[...document.querySelectorAll('input')].filter((it) => it.offsetParent).map((it) => it.placeholder)"
    page.wait(f"(document.body.innerText + {visible}).includes({json.dumps(text)})")


def shoot(page: Page, file: Path) -> None:
    """Save a screenshot in each width."""
    for width in WIDTHS:
        page.resize(width, 800)
        page.save(file.with_name(f"{file.name}-{width}.png"))
