import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

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

    def wait_for(self, line: str, seconds: float = 20) -> None:
        """Return once the log contains a text."""
        wait_until(lambda: line in self.log.read_text() or self.code is not None, seconds)
        assert line in self.log.read_text(), self.log.read_text()

    @property
    def code(self) -> int | None:
        return self._popen.poll()

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


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """One worker with a single prefork process, and one with threads on the queue of that name."""
    with running(tmp_path_factory.mktemp("workers")) as run:
        prefork = run(*WORKER, "-c", "1", "-n", "prefork@test")
        threads = run(*WORKER, "-P", "threads", "-c", "8", "-Q", "threads", "-n", "threads@test")
        prefork.wait_for("ready.")
        threads.wait_for("ready.")
        yield prefork
        assert (prefork.stop(), threads.stop()) == (0, 0)
