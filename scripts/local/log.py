from collections import deque
from pathlib import Path


class Log:
    """A child's output: the child writes the file, the supervisor reads it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._offset = 0

    def truncate(self) -> None:
        """Begin an empty file that only its owner may read."""
        self._offset = 0
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path.write_bytes(b"")
        self.path.chmod(0o600)

    def unread(self) -> list[str]:
        """The complete lines since the last call."""
        with self.path.open("rb") as file:
            file.seek(self._offset)
            text, newline, _ = file.read().rpartition(b"\n")
        self._offset += len(text + newline)
        return text.decode(errors="replace").splitlines()

    def tail(self, count: int = 15) -> str:
        """The last lines, for an error message."""
        with self.path.open(errors="replace") as file:
            return "".join(deque(file, count)).rstrip()
