"""Ends the children of a supervisor that was killed: they are recorded with their ids and start times."""

import json
import os
import subprocess
import time
from pathlib import Path

from scripts.local.directory import write_private
from scripts.local.process import Process, kill_group

PROC = Path("/proc")


def record(file: Path, processes: list[Process]) -> None:
    """Write the ids, start times and stop signals of processes to a file."""
    rows = [[process.pid, birth(process.pid), int(process.stop_signal)] for process in processes]
    write_private(file, json.dumps(rows))


def end_leftovers(file: Path, patience_seconds: float = 5) -> None:
    """Stop the recorded processes that still run, and kill those that do not stop in time."""
    rows = json.loads(file.read_text()) if file.exists() else []
    ours = [(pid, born) for pid, born, _ in rows if is_alive(pid, born)]
    for pid, born, stop_signal in rows:
        if is_alive(pid, born):
            os.kill(pid, stop_signal)
    deadline = time.monotonic() + patience_seconds
    while any(is_alive(pid, born) for pid, born in ours):
        if time.monotonic() > deadline:
            for pid, born in ours:
                if is_alive(pid, born):
                    kill_group(pid)
        time.sleep(0.02)
    file.unlink(missing_ok=True)


def is_alive(pid: int, born: str) -> bool:
    """Whether the process runs that started at that time, not a later one with the same id."""
    return bool(born) and birth(pid) == born


def birth(pid: int) -> str:
    """When a process started, in a unit of the system's; empty if it does not run."""
    if not PROC.joinpath("self", "stat").exists():
        command = ["ps", "-o", "lstart=", "-p", str(pid)]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()  # noqa: S603 - fixed
    try:
        fields = PROC.joinpath(str(pid), "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    state, start = fields[0], fields[19]
    boot = PROC.joinpath("sys/kernel/random/boot_id").read_text().strip()
    return "" if state in "ZX" else f"{boot} {start}"
