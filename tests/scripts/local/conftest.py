import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from scripts.local.ports import LOOPBACK, is_busy
from scripts.local.stores import STORES
from tests.support.fork_server import Fork, start
from tests.support.waiting import PATIENCE_SECONDS, wait_until

# An ordinary user runs PostgreSQL as itself, and can give nothing away.
collect_ignore = [] if os.geteuid() == 0 else ["test_account.py"]

CONFIGURED = {name for store in STORES for name in store.settings} | {"PORT", "HOST", "ENVIRONMENT"}
KEYS = {"ACCESS_TOKEN_KEY", "REFRESH_TOKEN_KEY", "RSA_PRIVATE_KEY"}


def bare_environment(**extra: str) -> dict[str, str]:
    """This process's environment without any store, so that the embedded ones are wanted."""
    return {name: value for name, value in os.environ.items() if name not in CONFIGURED | KEYS} | extra


class Supervisor:
    """`python -m scripts.local` in a process and directory of its own, with small programs as its application."""

    def __init__(self, directory: Path, name: str = "supervisor", **environment: str) -> None:
        self.directory = directory
        self.environment = environment
        self.port = free_port_range()
        self.output = directory / f"{name}.output"
        self._process: Fork | subprocess.Popen[bytes] | None = None

    def start(self, *arguments: str, until: str = "All up.", **environment: str) -> None:
        self._process = self._spawn(arguments, environment)
        wait_until(lambda: until in self.output.read_text() or self.process.poll() is not None)
        assert until in self.output.read_text(), self.output.read_text()

    def run(self, *arguments: str, **environment: str) -> tuple[int, str]:
        """Let it come to its end by itself."""
        return self._spawn(arguments, environment).wait(timeout=PATIENCE_SECONDS), self.output.read_text()

    def signal(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return self.process.wait(timeout=PATIENCE_SECONDS)

    @property
    def process(self) -> "Fork | subprocess.Popen[bytes]":
        assert self._process is not None
        return self._process

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def close(self) -> None:
        if self.is_running:
            self.signal(signal.SIGTERM)

    def _spawn(self, arguments: tuple[str, ...], environment: dict[str, str]) -> "Fork | subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "tests.scripts.local.supervise", str(self.directory), *arguments]
        variables = bare_environment(PORT=str(self.port), **self.environment, **environment)
        with self.output.open("wb") as output, Path(os.devnull).open() as nothing:
            return start(command, variables, output=output, errors=output, stdin=nothing)


def free_port_range() -> int:
    """A port that is free together with the four after it."""
    starts = random.sample(range(20_000, 32_000), k=100)
    return next(start for start in starts if not any(is_busy(LOOPBACK, start + offset) for offset in range(5)))


def processes_on(directory: Path) -> list[str]:
    """Command lines of the processes that work in the directory or have it as an argument."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = entry.joinpath("cmdline").read_bytes().replace(b"\0", b" ").decode()
            if str(directory) in command or directory in entry.joinpath("cwd").resolve().parents:
                found.append(command)
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
    return found


def make_directory() -> Path:
    """Unlike pytest's own, it lies where an unprivileged PostgreSQL may pass when we are root."""
    return Path(tempfile.mkdtemp(prefix="local-"))


@contextmanager
def supervisor_on_new_directory(**environment: str) -> Iterator[Supervisor]:
    supervisor = Supervisor(make_directory(), **environment)
    try:
        yield supervisor
    finally:
        supervisor.close()
        shutil.rmtree(supervisor.directory)


@pytest.fixture
def directory() -> Iterator[Path]:
    path = make_directory()
    yield path
    shutil.rmtree(path)
