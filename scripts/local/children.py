import time
from pathlib import Path

from scripts.local.errors import LocalError
from scripts.local.leftovers import end_leftovers, record
from scripts.local.process import Pause, Process


class Children:
    """All processes of one data directory, stopped in the reverse of the order in which they were started."""

    def __init__(self, directory: Path, pause: Pause = time.sleep) -> None:
        """End what a killed predecessor left behind.

        Args:
            directory: The data directory, whose lock the caller holds.
            pause: Waits that many seconds; whatever it raises ends the wait.
        """
        self.pause = pause
        self._record = directory / "processes.json"
        self._processes: list[Process] = []
        end_leftovers(self._record)

    def start(self, process: Process) -> Process:
        """Start it and write it down."""
        process.start()
        self._processes.append(process)
        record(self._record, self._processes)
        return process

    def run(self, process: Process) -> None:
        """Start one that ends by itself, and wait for that.

        Raises:
            LocalError: It failed; with its last words.
        """
        self.start(process)
        while process.exit_code is None:
            self.pause(0.05)
        if process.exit_code:
            self.check()
        self._processes.remove(process)

    def check(self) -> None:
        """Look whether all still run.

        Raises:
            LocalError: One ended; with its exit code and last words.
        """
        for process in self._processes:
            if process.exit_code is not None:
                words = process.log.tail() or "(no output)"
                raise LocalError(f"{process.name} ended with exit code {process.exit_code}. Its last lines:\n{words}")

    def replace(self, old: Process, new: Process) -> Process:
        """Kill one and start its successor."""
        old.kill()
        self._processes.remove(old)
        return self.start(new)

    def stop(self) -> None:
        """Stop all; an exception out of `pause` kills those that are left."""
        try:
            while self._processes:
                self._processes[-1].stop(self.pause)
                self._processes.pop()
        finally:
            for process in reversed(self._processes):
                process.kill()
            self._processes.clear()
            self._record.unlink(missing_ok=True)
