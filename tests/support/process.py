"""Programs that tests run. A failing test shows the last lines of their output."""

import os
import signal
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Self

import psutil

from tests.support.fork_server import start
from tests.support.waiting import PATIENCE_SECONDS, wait_until

_shown: list["Process"] = []

measured: dict[str, str] = {}
"""Environment variables that measure a process's coverage, which doubles the time that a program needs to start."""


class Process:
    """A program in its own session that is killed when its block ends; its output goes to a file."""

    def __init__(
        self, command: Sequence[str | Path], log: Path, environment: Mapping[str, str], stdin: IO[bytes] | None = None
    ) -> None:
        self.log = log
        self._is_closed = False
        self.command = " ".join(map(str, command))
        with log.open("wb") as output, Path(os.devnull).open() as nothing:
            self._popen = start(command, environment, output=output, errors=output, stdin=stdin or nothing)
        self.psutil = psutil.Process(self._popen.pid)
        _shown.append(self)

    @property
    def output(self) -> str:
        return self.log.read_text(errors="replace")

    @property
    def code(self) -> int | None:
        """The exit code, None while it runs."""
        return self._popen.poll()

    def wait_for(self, text: str) -> None:
        """Return once its output contains a text."""
        self.wait_until(lambda: text in self.output)

    def wait_until(self, condition: Callable[[], object]) -> None:
        """Return once a condition holds; fail when the process ends before."""
        wait_until(lambda: condition() or self.code is not None)
        assert condition(), f"{self.command} ended with exit code {self.code}."

    def family(self) -> list[psutil.Process]:
        return [self.psutil, *self.psutil.children(recursive=True)]

    def stop(self, seconds: float = PATIENCE_SECONDS) -> int:
        """Ask it to end, and return its exit code."""
        if self.code is None:
            self._popen.terminate()
        return self._popen.wait(seconds)

    def kill(self) -> None:
        """Kill it and its descendants."""
        if self.code is None:
            os.killpg(self._popen.pid, signal.SIGKILL)
        self._popen.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self._is_closed = True


def measure_on_request() -> None:
    """Measure only the coverage of processes whose environment contains `measured`."""
    if (configuration := os.environ.pop("COVERAGE_PROCESS_CONFIG", None)) is not None:
        measured["COVERAGE_PROCESS_CONFIG"] = configuration


def outputs(lines: int = 40) -> Iterator[tuple[str, str]]:
    """The command and the last lines of each process that ran during this test."""
    for process in _shown:
        with process.log.open(errors="replace") as file:
            yield process.command, "".join(deque(file, lines))


def forget_closed() -> None:
    """Forget the processes whose block has ended."""
    _shown[:] = [process for process in _shown if not process._is_closed]
