import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from signal import SIGINT

from scripts.local.applications import Plan
from scripts.local.children import Children
from scripts.local.directory import locked
from scripts.local.environment import write_environment
from scripts.local.errors import LocalError, Stopped
from scripts.local.patience import wait_until
from scripts.local.ports import Ports, require_free
from scripts.local.process import Process
from scripts.local.reload import Watcher
from scripts.local.signals import Signals
from scripts.local.stores import needed_stores, start_stores


def up(directory: Path, plan: Plan, configured: Mapping[str, str]) -> None:
    """Run everything in the foreground until it is asked to stop.

    Args:
        directory: The data directory.
        plan: What runs on the stores, and where.
        configured: The user's settings; stores that they name are not started.

    Raises:
        LocalError: It cannot start, or a process ended by itself; all others are stopped then.
    """
    signals = Signals()
    with locked(directory, f"http://localhost:{plan.port}"), suppress(Stopped):
        stores = [store.name for store in needed_stores(configured)]
        say(f"Starting {enumeration(stores)}; the data is in {directory} …" if stores else "Using your stores.")
        with _stores(directory, plan.port, configured, signals, host=plan.host, also=plan.environment) as children:
            try:
                Session(plan, children).run()
            except Stopped:
                say("Stopping … (Ctrl-C again kills everything)")
                raise


def run(directory: Path, port: int, configured: Mapping[str, str], command: Sequence[str]) -> int:
    """Run one command on the stores, which are started for it, and return its exit code."""
    signals = Signals()
    with locked(directory, f"running {' '.join(command)}"), _stores(directory, port, configured, signals) as children:
        process = subprocess.Popen(command)  # noqa: S603 - what the user asked for
        while (code := process.poll()) is None:
            try:
                children.pause(0.2)
            except Stopped as stop:
                if stop.is_interrupt:  # a terminal's Ctrl-C has reached the command, which decides what it means
                    if not sys.stdin.isatty():
                        process.send_signal(SIGINT)
                else:
                    process.terminate()
                    return process.wait()
        return code


class Session:
    """Sets up the stores, serves the applications, and restarts them when their code changes."""

    def __init__(self, plan: Plan, children: Children) -> None:
        self._plan = plan
        self._children = children
        self._processes = [application.process for application in plan.applications]
        self._names = enumeration([process.name for process in self._processes]) if self._processes else ""
        self._has_reloaded = False

    def run(self) -> None:
        """Run until `pause` raises.

        Raises:
            LocalError: The first start failed, or a process ended whose code has not changed since.
        """
        self._set_up()
        self._start()
        print(self._plan.announcement, flush=True)
        watcher = Watcher(self._plan.watched) if self._plan.watched else None
        try:
            self._serve(watcher)
        finally:
            if watcher is not None:
                watcher.close()

    def _set_up(self) -> None:
        mark = self._plan.mark
        if mark is not None and mark.fits():
            say("Schema and initial data are up to date.")
            return
        for process in self._plan.setup:
            say(f"{process.purpose or f'Running {process.name}'} …")
            self._children.run(process)
            show_output(process)
        if mark is not None:
            mark.set()

    def _start(self) -> None:
        if not self._processes:
            return
        say(f"Starting {self._names} …")
        for is_last in (False, True):
            applications = [
                application for application in self._plan.applications if application.starts_last is is_last
            ]
            for application in applications:
                self._children.start(application.process)
            for application in applications:
                wait_until(application.is_up, application.process, self._children)

    def _serve(self, watcher: Watcher | None) -> None:
        while True:
            self._children.pause(0.2)
            for process in self._processes:
                show_output(process)
            if watcher is not None and (changed := watcher.take()):
                self._reload(changed)
            self._check()

    def _reload(self, changed: Sequence[str]) -> None:
        say(f"Changed: {', '.join(changed[:3])}{' …' if len(changed) > 3 else ''}. Restarting.")
        self._has_reloaded = True
        self._children.stop_only(self._processes)
        started = time.monotonic()
        with suppress(LocalError):  # one of them ended, which `_check` is about to tell
            self._start()
            say(f"Ready after {time.monotonic() - started:.1f} s.")

    def _check(self) -> None:
        """Check that all processes are running; changed code that fails may be corrected.

        Raises:
            LocalError: One has ended.
        """
        ended = [process for process in self._processes if process in self._children and process.exit_code is not None]
        if not ended or not self._has_reloaded:
            return self._children.check()
        for process in self._processes:
            show_output(process)
        say(f"{ended[0].name} ended with exit code {ended[0].exit_code}. {self._names} stop until the next change.")
        self._children.stop_only(self._processes)
        return None


@contextmanager
def _stores(
    directory: Path,
    port: int,
    configured: Mapping[str, str],
    signals: Signals,
    *,
    host: str | None = None,
    also: Mapping[str, str] | None = None,
) -> Iterator[Children]:
    """Running stores, whose addresses are in this process's environment and in the dotenv file for all others.

    So are the settings in `also`.

    With a host, the API is going to listen there: its port has to be free, once the leftovers of a killed supervisor
    are gone.
    """
    environment_file = directory / "env"
    environment_file.unlink(missing_ok=True)
    children = Children(directory, signals.pause)
    try:
        if host is not None:
            require_free(host, port, "API")
        if configured["ENVIRONMENT"] == "LOCAL":
            variables = start_stores(directory, Ports.after(port), configured, children) | dict(also or {})
            write_environment(environment_file, variables)
            os.environ.update(variables)
        yield children
    finally:
        environment_file.unlink(missing_ok=True)
        with suppress(Stopped):  # a second request: the rest has been killed
            children.stop()


def show_output(process: Process) -> None:
    """Print what a process has written since the last time."""
    for line in process.log.unread():
        print(f"{process.name:<6} | {line}", flush=True)


def say(text: str) -> None:
    """Tell the user what is going on."""
    print(text, flush=True)


def enumeration(names: Sequence[str]) -> str:
    """`A, B and C`."""
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last
