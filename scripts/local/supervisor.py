import os
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from scripts.local.applications import Plan
from scripts.local.children import Children
from scripts.local.directory import locked
from scripts.local.environment import write_environment
from scripts.local.errors import LocalError, Stopped
from scripts.local.ports import Ports, require_free
from scripts.local.process import Process
from scripts.local.signals import Signals
from scripts.local.stores import start_stores

START_SECONDS = 60


def up(directory: Path, plan: Plan, configured: Mapping[str, str]) -> None:
    """Run everything in the foreground until somebody asks to stop.

    Args:
        directory: The data directory.
        plan: What runs on the stores, and where.
        configured: The user's settings; the stores that they name are not started.

    Raises:
        LocalError: It cannot start, or a child ended by itself; all others are stopped then.
    """
    signals = Signals()
    with (
        locked(directory, f"http://localhost:{plan.port}"),
        suppress(Stopped),
        _stores(directory, plan.port, configured, signals, host=plan.host) as children,
    ):
        try:
            _serve(plan, children)
        except Stopped:
            print("Stopping … (once more: kill)", flush=True)
            raise


def run(directory: Path, port: int, configured: Mapping[str, str], command: Sequence[str]) -> int:
    """Run one command on the stores, started for it alone, and return its exit code."""
    signals = Signals()
    with locked(directory, f"running {' '.join(command)}"), _stores(directory, port, configured, signals) as children:
        process = subprocess.Popen(command)  # noqa: S603 - what the user asked for
        try:
            while (code := process.poll()) is None:
                children.pause(0.2)
        except Stopped:  # Ctrl-C reached the command as well; SIGTERM did not
            process.terminate()
            return process.wait()
        return code


@contextmanager
def _stores(
    directory: Path, port: int, configured: Mapping[str, str], signals: Signals, *, host: str | None = None
) -> Iterator[Children]:
    """Stores that are up, and known to this process and to every other one through the dotenv file.

    With a host, the API is going to listen there: its port has to be free, once what a killed supervisor left is gone.
    """
    environment_file = directory / "env"
    environment_file.unlink(missing_ok=True)
    children = Children(directory, signals.pause)
    try:
        if host is not None:
            require_free(host, port, "API")
        if configured["ENVIRONMENT"] == "LOCAL":
            variables = start_stores(directory, Ports.after(port), configured, children)
            write_environment(environment_file, variables)
            os.environ.update(variables)
        yield children
    finally:
        environment_file.unlink(missing_ok=True)
        with suppress(Stopped):  # a second request: the rest has been killed
            children.stop()


def _serve(plan: Plan, children: Children) -> None:
    _start(plan, children)
    print(plan.announcement, flush=True)
    while True:
        children.pause(0.2)
        for application in plan.applications:
            _show_output(application.process)
        children.check()


def _start(plan: Plan, children: Children) -> None:
    for process in plan.setup:
        children.run(process)
        _show_output(process)
    for application in plan.applications:
        children.start(application.process)
    deadline = time.monotonic() + START_SECONDS
    for application in plan.applications:
        while not application.is_up():
            children.check()
            if time.monotonic() > deadline:
                raise LocalError(f"{application.process.name} is not up after {START_SECONDS} s.")
            children.pause(0.05)


def _show_output(process: Process) -> None:
    for line in process.log.unread():
        print(f"{process.name:<6} | {line}", flush=True)
