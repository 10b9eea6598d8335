import time
from collections.abc import Sequence
from pathlib import Path

from scripts.local.errors import LocalError
from scripts.local.leftovers import end_leftovers, record
from scripts.local.process import Pause, Process


class Children:
    """The processes that were started on one data directory."""

    def __init__(self, directory: Path, pause: Pause = time.sleep) -> None:
        """End what a killed predecessor left behind.

        Args:
            directory: The data directory; the caller holds its lock.
            pause: Waits that many seconds; an exception that it raises ends the wait.
        """
        self.pause = pause
        self._record = directory / "processes.json"
        self._processes: list[Process] = []
        end_leftovers(self._record)

    def start(self, process: Process) -> Process:
        """Start a process and record it, so that a successor of a killed supervisor can end it."""
        process.start()
        self._processes.append(process)
        record(self._record, self._processes)
        return process

    def run(self, process: Process) -> None:
        """Start a process that ends by itself, and wait for its end.

        Raises:
            LocalError: It failed; with its last lines.
        """
        self.start(process)
        while process.exit_code is None:
            self.pause(0.05)
        if process.exit_code:
            self.check()
        self._processes.remove(process)

    def check(self) -> None:
        """Check that all processes are running.

        Raises:
            LocalError: One has ended; with its exit code and last lines.
        """
        for process in self._processes:
            if process.exit_code is not None:
                lines = process.log.tail() or "(no output)"
                raise LocalError(f"{process.name} ended with exit code {process.exit_code}. Its last lines:\n{lines}")

    def __contains__(self, process: Process) -> bool:
        """Whether the process was started and not stopped."""
        return process in self._processes

    def replace(self, old: Process, new: Process) -> Process:
        """Kill a process and start its successor."""
        old.kill()
        self._processes.remove(old)
        return self.start(new)

    def stop_only(self, processes: Sequence[Process]) -> None:
        """Stop some of the processes, at the same time: each is killed when its `patience_seconds` are over."""
        stopping = [process for process in self._processes if process in processes]
        for process in stopping:
            process.ask_to_stop()
        started = time.monotonic()
        while any(
            process.exit_code is None and time.monotonic() - started < process.patience_seconds for process in stopping
        ):
            self.pause(0.02)
        for process in stopping:
            process.kill()
            self._processes.remove(process)

    def stop(self) -> None:
        """Stop the expendable processes, then the stores; an exception out of `pause` kills all that are left."""
        try:
            self.stop_only([process for process in self._processes if process.is_expendable])
            self.stop_only(self._processes)
        finally:
            for process in reversed(self._processes):
                process.kill()
            self._processes.clear()
            self._record.unlink(missing_ok=True)
