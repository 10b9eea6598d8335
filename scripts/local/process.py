import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from scripts.local.account import Account
from scripts.local.log import Log

PROJECT_ROOT = Path(__file__).resolve().parents[2]

Pause = Callable[[float], None]


@dataclass(eq=False)
class Process:
    """A child in a session of its own, so that the terminal's Ctrl-C reaches the supervisor only.

    Its output goes to a file. When the supervisor dies, the kernel sends the child its stop signal, or kills it if it
    is expendable.
    """

    name: str
    command: Sequence[str]
    log: Log
    environment: Mapping[str, str] = field(default_factory=dict)
    """Added to the supervisor's own."""
    directory: Path = PROJECT_ROOT
    account: Account | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    patience_seconds: float = 2.5
    """How long it may take to stop before it is killed."""
    purpose: str = ""
    """What a process does that runs to its end, for the user."""
    is_expendable: bool = False
    """It holds no data: it is stopped before the stores, and killed when the supervisor dies."""

    def start(self) -> None:
        """Start the process, with an empty log."""
        self.log.truncate()
        uid, gid = (self.account.uid, self.account.gid) if self.account else (-1, -1)
        launcher = [sys.executable, "-I", "-S", str(Path(__file__).with_name("launch.py"))]
        death_signal = signal.SIGKILL if self.is_expendable else self.stop_signal
        arguments = map(str, (os.getpid(), int(death_signal), uid, gid))
        with self.log.path.open("ab") as output:
            self._popen = subprocess.Popen(  # noqa: S603 - commands of this package, no shell
                [*launcher, *arguments, *self.command],
                cwd=self.directory,
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Its process, session and group id."""
        return self._popen.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative for the signal that ended it."""
        return self._popen.poll()

    def ask_to_stop(self) -> None:
        """Send the stop signal, unless the process has ended."""
        if self.exit_code is None:
            self._popen.send_signal(self.stop_signal)

    def kill(self) -> None:
        """Kill it, its descendants and its group."""
        # PostgreSQL's servers have groups of their own, and finish what they do when their parent is gone.
        family = descendants(self.pid)
        kill_group(self.pid)
        for pid in family:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._popen.wait()


def kill_group(group: int) -> None:
    """Kill every member of a process group, if it still exists."""
    with suppress(ProcessLookupError, PermissionError):  # macOS reports EPERM for a group of zombies
        os.killpg(group, signal.SIGKILL)


def descendants(pid: int) -> list[int]:
    """The children of a process, and theirs; none where the system has no /proc."""
    parents = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):
            parents[int(entry.parent.name)] = int(entry.read_text().rpartition(")")[2].split()[1])
    found = [pid]
    for ancestor in found:
        found += [child for child, parent in parents.items() if parent == ancestor]
    return found[1:]
