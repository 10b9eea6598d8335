import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from scripts.local.account import Account
from scripts.local.log import Log

PROJECT_ROOT = Path(__file__).resolve().parents[2]

Pause = Callable[[float], None]


@dataclass(eq=False)
class Process:
    """A child in a session of its own, so that the terminal's Ctrl-C reaches us alone.

    Its output goes to a file. When we die, the kernel sends it the stop signal, or kills it if it is expendable.
    """

    name: str
    command: Sequence[str]
    log: Log
    environment: Mapping[str, str] = field(default_factory=dict)
    """Added to our own."""
    directory: Path = PROJECT_ROOT
    account: Account | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    patience_seconds: float = 3
    """How long it may take to stop before it is killed."""
    is_expendable: bool = False
    """It holds no data, and without the others it would only wait for them."""

    def start(self) -> None:
        """Start it with an empty log."""
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

    def stop(self, pause: Pause) -> None:
        """Ask it to stop, and kill it and its descendants when it does not in time."""
        if self.exit_code is None:
            self._popen.send_signal(self.stop_signal)
        deadline = time.monotonic() + self.patience_seconds
        while self.exit_code is None and time.monotonic() < deadline:
            pause(0.02)
        self.kill()

    def kill(self) -> None:
        """End it and whatever is left of its group, at once."""
        kill_group(self.pid)
        self._popen.wait()


def kill_group(group: int) -> None:
    """SIGKILL every member of a process group that may be gone already."""
    try:
        os.killpg(group, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):  # macOS answers EPERM for a group of zombies
        return
