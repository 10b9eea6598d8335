"""`pages.py [URL [DIRECTORY]]`: carries out pages.sh over the Chrome DevTools Protocol."""

import base64
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from websockets.sync.client import ClientConnection, connect

PATIENCE_SECONDS = 20
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
OPTIONS = ("--headless=new", "--no-sandbox", "--window-size=1200,1000", "--remote-debugging-port=0")
LOCALHOST_ALONE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1"

FILL = """(selector, value) => {
    const field = document.querySelector(selector);
    Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value").set.call(field, value);
    field.dispatchEvent(new Event("input", { bubbles: true }));
}"""


class Page:
    """One tab; `requested` collects every URL that it asked for, by the request's id."""

    def __init__(self, socket: ClientConnection, directory: Path) -> None:
        self.requested: dict[str, str] = {}
        self._socket = socket
        self._directory = directory
        self._ids = count(1)
        for domain in ("Page", "Network", "Runtime"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        """Call the browser, and handle the events that arrive in the meantime."""
        number = next(self._ids)
        self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            message = json.loads(self._socket.recv(PATIENCE_SECONDS))
            self._note(message)
            if message.get("id") == number:
                return dict(message["result"])

    def _note(self, message: dict[str, Any]) -> None:
        """Record a requested URL, unless the page's content security policy blocked it."""
        match message:
            case {"method": "Network.requestWillBeSent", "params": {"requestId": request, "request": {"url": url}}}:
                self.requested[request] = url
            case {"method": "Network.loadingFailed", "params": {"requestId": request, "blockedReason": _}}:
                self.requested.pop(request, None)

    def run(self, script: str, *arguments: str) -> Any:
        """Evaluate JavaScript: an expression, or a function to call with the arguments."""
        call = f"({script})({', '.join(map(json.dumps, arguments))})" if arguments else script
        result = self.send("Runtime.evaluate", expression=call, returnByValue=True)
        if "exceptionDetails" in result:
            raise RuntimeError(f"{call}: {result['exceptionDetails']['exception']['description']}")
        return result["result"].get("value")

    def wait(self, condition: str) -> None:
        """Return once an expression is true."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self.run(condition):
            if time.monotonic() > deadline:
                sys.exit(f"In vain: {condition}")
            time.sleep(0.1)

    def click(self, selector: str) -> None:
        """Wait for an element, and click it."""
        self.wait(f"document.querySelector({json.dumps(selector)}) !== null")
        self.run("(selector) => document.querySelector(selector).click()", selector)

    def save(self, name: str) -> None:
        """Save a screenshot."""
        picture = self.send("Page.captureScreenshot", format="png")["data"]
        (self._directory / f"{name}.png").write_bytes(base64.b64decode(picture))


@contextmanager
def browser(directory: Path) -> Iterator[Page]:
    """A tab of a browser with a new profile."""
    program = next(filter(None, map(shutil.which, BROWSERS)), None) or sys.exit("Chromium is not installed.")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [program, *OPTIONS, LOCALHOST_ALONE, f"--user-data-dir={profile}", "about:blank"]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)  # noqa: S603 - found above
        try:
            port_file = Path(profile, "DevToolsActivePort")
            while not port_file.exists() and process.poll() is None:
                time.sleep(0.05)
            targets = json.loads(read(f"http://127.0.0.1:{port_file.read_text().split()[0]}/json/list"))
            tab = next(target for target in targets if target["type"] == "page")
            with connect(tab["webSocketDebuggerUrl"], max_size=None) as socket:
                yield Page(socket, directory)
        finally:
            process.terminate()
            process.wait()


def visit(page: Page, url: str) -> None:
    """Open each page, log in, and save screenshots."""
    page.send("Page.navigate", url=f"{url}/docs")
    page.wait("document.querySelectorAll('.opblock').length > 5")
    page.save("docs")
    page.click("button.authorize")
    page.wait("document.querySelector('#oauth_username') !== null")
    page.run(FILL, "#oauth_username", "admin")
    page.run(FILL, "#oauth_password", "123456")
    page.click(".auth-btn-wrapper button.authorize")
    page.wait("document.querySelector('.auth-container')?.innerText.includes('Authorized')")
    page.save("authorized")
    page.click(".auth-btn-wrapper .btn-done")
    for operation in operations(url):
        try_out(page, operation)
    page.save("tried")
    page.send("Page.navigate", url=f"{url}/redoc")
    page.wait("document.querySelectorAll('[data-section-id]').length > 5")
    page.save("redoc")
    page.send("Page.navigate", url=f"{url}/asyncapi")
    events = [channel["address"] for channel in json.loads(read(f"{url}/asyncapi.json"))["channels"].values()]
    shown = "document.querySelector('#asyncapi')?.innerText ?? ''"
    page.wait(f"{json.dumps(events)}.every((event) => ({shown}).includes(event))")
    page.save("asyncapi")


def operations(url: str) -> list[dict[str, Any]]:
    """The operations that read or create."""
    paths = json.loads(read(f"{url}/openapi.json"))["paths"]
    return [
        operation
        for item in paths.values()
        for method, operation in item.items()
        if method == "get" or (method == "post" and "201" in operation["responses"])
    ]


def try_out(page: Page, operation: dict[str, Any]) -> None:
    """Send the examples of an operation unchanged; ends the program if it responds with an undocumented status."""
    block = f"[id$=-{operation['operationId']}]"
    for button in (".opblock-summary-control", ".try-out__btn", ".execute"):
        page.click(f"{block} {button}")
    shown = f"document.querySelector('{block} .live-responses-table tbody .response-col_status')?.innerText ?? ''"
    page.wait(f"({shown}).trim() !== ''")
    status = page.run(shown).split()[0]
    if status not in operation["responses"]:
        sys.exit(f"{operation['operationId']} responded with {status}, which is not documented.")
    page.click(f"{block} .opblock-summary-control")  # fewer open blocks are faster


def read(url: str) -> str:
    """The response body of a GET."""
    with urlopen(url) as response:  # noqa: S310 - our own
        return str(response.read().decode())


def main(url: str = "http://localhost:16000", directory: str = "") -> str | None:
    """Visit the pages; returns the foreign hosts that they contacted, for `sys.exit`."""
    directory = directory or tempfile.mkdtemp(prefix="pages-")
    Path(directory).mkdir(parents=True, exist_ok=True)
    with browser(Path(directory)) as page:
        visit(page, url)
        page.wait("document.readyState === 'complete'")
        own = (f"{url}/", "data:", "blob:", "about:")
        others = {asked for asked in page.requested.values() if not asked.startswith(own)}
    print(f"Logged in by the Authorize button. Screenshots: {Path(directory).resolve()}")
    return f"The pages asked others: {', '.join(sorted(others))}" if others else None


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
