from collections.abc import Iterable
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event, Thread

from watchfiles import Change, PythonFilter, watch


class SourceFilter(PythonFilter):
    """Python files, and the note that scripts/console.sh writes once it has built the console."""

    def __call__(self, change: Change, path: str) -> bool:
        """Whether the processes have to be restarted."""
        built = change is not Change.deleted and path.endswith("/console/built/SOURCES")
        return built or super().__call__(change, path)


class Watcher:
    """Watches what processes load from a directory, from a thread of its own."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._changes: SimpleQueue[str] = SimpleQueue()
        self._stop = Event()
        self._thread = Thread(target=self._follow, daemon=True)
        self._thread.start()

    def take(self) -> list[str]:
        """The files that have changed since the last call, by their path from the directory's parent."""
        return sorted(set(self._drain()))

    def close(self) -> None:
        """Stop watching."""
        self._stop.set()
        self._thread.join()

    def _drain(self) -> Iterable[str]:
        try:
            while True:
                yield self._changes.get_nowait()
        except Empty:
            return

    def _follow(self) -> None:
        root = self._directory.parent
        for changes in watch(
            self._directory,
            watch_filter=SourceFilter(),
            debounce=300,
            rust_timeout=200,
            stop_event=self._stop,
            raise_interrupt=False,  # signals belong to the main thread
        ):
            for _, path in changes:
                self._changes.put(str(Path(path).relative_to(root)))
