import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psutil
import pytest
from redis import Redis

from src.core.config import settings

# Workers that need not look for each other start a second sooner.
WORKER = "worker", "-l", "info", "--without-mingle", "--without-gossip"
BEAT = "beat", "-l", "debug", "-S", "src.queues.scheduler:AsyncDatabaseScheduler"
ROOT = Path(__file__).resolve().parents[2]


class Process:
    """A `celery` command with its log."""

    def __init__(self, log: Path, *arguments: str, **environment: str) -> None:
        self.log = log
        with log.open("w") as output:
            self._popen = subprocess.Popen(  # noqa: S603 - our own command
                [sys.executable, "-m", "celery", "-A", "tests.queues.sample", *arguments],
                cwd=ROOT,
                env={**os.environ, **environment},
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.psutil = psutil.Process(self._popen.pid)
        self.name = arguments[arguments.index("-n") + 1] if "-n" in arguments else ""

    def wait_for(self, line: str, seconds: float = 20) -> None:
        """Return once the log contains a text."""
        wait_until(lambda: line in self.log.read_text() or self.code is not None, seconds)
        assert line in self.log.read_text(), self.log.read_text()

    @property
    def code(self) -> int | None:
        return self._popen.poll()

    def idle_share(self, seconds: float) -> float:
        """How much of a core it uses in that time."""

        def spent() -> float:
            return sum(sum(process.cpu_times()[:2]) for process in self.family())

        before = spent()
        time.sleep(seconds)
        return (spent() - before) / seconds

    def family(self) -> list[psutil.Process]:
        return [self.psutil, *self.psutil.children(recursive=True)]

    def kill(self) -> None:
        os.killpg(self._popen.pid, signal.SIGKILL)
        self._popen.wait()

    def stop(self, seconds: float = 20) -> int:
        """Ask it to end, and return its exit code."""
        if self.code is None:
            self._popen.terminate()
        return self._popen.wait(seconds)


Run = Callable[..., Process]


def wait_until(condition: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@contextmanager
def running(directory: Path) -> Iterator[Run]:
    """Start commands, and see to it that none outlives the block."""
    processes: list[Process] = []

    def run(*arguments: str, **environment: str) -> Process:
        process = Process(directory / f"{len(processes)}.log", *arguments, **environment)
        processes.append(process)
        return process

    try:
        yield run
    finally:
        for process in processes:
            if process.code is None:
                process.kill()


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    with running(tmp_path) as run:
        yield run


@pytest.fixture
def redis() -> Redis:
    return Redis.from_url(settings.REDIS_DATABASE_URL, decode_responses=True)


@pytest.fixture
def key() -> str:
    return f"test:{uuid4()}"
