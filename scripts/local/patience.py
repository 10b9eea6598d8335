"""Waits for processes for as long as they make progress, however slow the machine is."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from scripts.local.children import Children
from scripts.local.errors import LocalError
from scripts.local.process import Process

PROC = Path("/proc")
IDLE_SECONDS = 60.0
"""How long a process may make no progress."""
WORK_SECONDS = 1.0
"""Processor time that counts as progress: a process that only waits uses less in `IDLE_SECONDS`."""


def wait_until(
    condition: Callable[[], bool], process: Process, children: Children, idle_seconds: float = IDLE_SECONDS
) -> None:
    """Wait for a condition that a process is going to fulfil.

    Progress is output, or processor time of the process and its children.

    Raises:
        LocalError: One of the children ended, or the process has made no progress for `idle_seconds`.
    """
    last = _progress(process)
    deadline = time.monotonic() + idle_seconds
    while not condition():
        children.check()
        children.pause(0.03)
        if time.monotonic() > deadline:
            now = _progress(process)
            if now.written == last.written and now.worked_seconds - last.worked_seconds < WORK_SECONDS:
                raise LocalError(f"{process.name} makes no progress. Its output is in {process.log.path}")
            last, deadline = now, time.monotonic() + idle_seconds


class Progress(NamedTuple):
    """What a process has done since it started."""

    written: int
    """Bytes of output."""
    worked_seconds: float
    """Processor time of its group."""


def _progress(process: Process) -> Progress:
    return Progress(process.log.path.stat().st_size, _processor_seconds(process.pid))


def _processor_seconds(group: int) -> float:
    """What the members of a process group have used; 0 where the system has no /proc."""
    ticks = 0
    for entry in PROC.glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[2]) == group:
            ticks += sum(map(int, fields[11:15]))  # user and system time, its own and its ended children's
    return ticks / os.sysconf("SC_CLK_TCK")
