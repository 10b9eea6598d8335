"""Children of a supervisor that was killed: found by record, told from strangers by their time of birth."""

import json
import os
import subprocess
import time
from pathlib import Path

from scripts.local.directory import write_private
from scripts.local.process import Process, kill_group

PROC = Path("/proc")


def record(file: Path, processes: list[Process]) -> None:
    """Write down which processes are ours."""
    rows = [[process.pid, birth(process.pid), int(process.stop_signal)] for process in processes]
    write_private(file, json.dumps(rows))


def end_leftovers(file: Path, patience_seconds: float = 5) -> None:
    """End the recorded processes that still live, gently first: a store may be writing its last pages."""
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
    """Whether the process runs, and is the one that was born then, not a later one with its number."""
    return bool(born) and birth(pid) == born


def birth(pid: int) -> str:
    """When a process began, in whatever unit the system tells; empty when it does not run."""
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
