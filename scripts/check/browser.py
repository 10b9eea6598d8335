"""Headless Chromium over the Chrome DevTools Protocol, for the checks that open pages."""

import base64
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

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
    """One tab.

    Attributes:
        requested: Every URL that it asked for, by the request's id.
        problems: Errors and warnings of its console, violations of its content security policy included; not the
            responses that are errors.
    """

    def __init__(self, socket: ClientConnection) -> None:
        self.requested: dict[str, str] = {}
        self.problems: list[str] = []
        self._socket = socket
        self._ids = count(1)
        for domain in ("Page", "Network", "Runtime", "Log"):
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
        """Record a requested URL, unless the page's content security policy blocked it, and what the console shows."""
        match message:
            case {"method": "Network.requestWillBeSent", "params": {"type": "Preflight"}}:
                pass  # the request itself follows
            case {"method": "Network.requestWillBeSent", "params": {"requestId": request, "request": {"url": url}}}:
                self.requested[request] = url
            case {"method": "Network.loadingFailed", "params": {"requestId": request, "blockedReason": _}}:
                self.requested.pop(request, None)
            case {"method": "Log.entryAdded", "params": {"entry": {"level": "error", "source": source, "text": text}}}:
                self.problems += [text] if source != "network" else []
            case {"method": "Runtime.exceptionThrown", "params": {"exceptionDetails": details}}:
                self.problems.append(details.get("exception", details).get("description", details["text"]))
            case {"method": "Runtime.consoleAPICalled", "params": {"type": "error" | "warning", "args": values}}:
                self.problems.append(" ".join(str(one.get("value", one.get("description"))) for one in values))

    def open(self, url: str) -> None:
        """Navigate, and return when the page has loaded."""
        self.send("Page.navigate", url=url)
        self.wait(f"location.href.startsWith({json.dumps(url)}) && document.readyState === 'complete'")

    def run(self, script: str, *arguments: str) -> Any:
        """Evaluate JavaScript: an expression, or a function to call with the arguments. A promise is awaited."""
        call = f"({script})({', '.join(map(json.dumps, arguments))})" if arguments else script
        result = self.send("Runtime.evaluate", expression=call, returnByValue=True, awaitPromise=True)
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

    def fill(self, selector: str, value: str) -> None:
        """Wait for an input field, and type into it."""
        self.wait(f"document.querySelector({json.dumps(selector)}) !== null")
        self.run(FILL, selector, value)

    def resize(self, width: int, height: int) -> None:
        """Set the size of the visible part."""
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def save(self, file: Path) -> None:
        """Save a screenshot."""
        file.write_bytes(base64.b64decode(self.send("Page.captureScreenshot", format="png")["data"]))


class Browser:
    """A running browser, whose tabs share storage and locks."""

    def __init__(self, url: str, stack: ExitStack) -> None:
        self._url = url
        self._stack = stack

    def tab(self) -> Page:
        """A new tab."""
        with urlopen(Request(f"{self._url}/json/new", method="PUT")) as response:  # noqa: S310 - our own
            target = json.load(response)
        return Page(self._stack.enter_context(connect(target["webSocketDebuggerUrl"], max_size=None)))


@contextmanager
def browser() -> Iterator[Browser]:
    """A browser with a new profile, which reaches this machine alone."""
    program = next(filter(None, map(shutil.which, BROWSERS)), None) or sys.exit("Chromium is not installed.")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile, ExitStack() as stack:
        command = [program, *OPTIONS, LOCALHOST_ALONE, f"--user-data-dir={profile}", "about:blank"]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)  # noqa: S603 - found above
        stack.callback(process.wait)
        stack.callback(process.terminate)
        port_file = Path(profile, "DevToolsActivePort")
        while not (port_file.exists() and port_file.read_text()) and process.poll() is None:
            time.sleep(0.05)
        yield Browser(f"http://127.0.0.1:{port_file.read_text().split()[0]}", stack)
