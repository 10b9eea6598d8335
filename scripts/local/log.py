from collections import deque
from pathlib import Path

from src.utils.text import escape_controls


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
        return [_printable(line) for line in text.decode(errors="replace").splitlines()]

    def tail(self, count: int = 15) -> str:
        """The last lines, for an error message."""
        with self.path.open(errors="replace") as file:
            return _printable("".join(deque(file, count)).rstrip())


def _printable(text: str) -> str:
    """What a client sent may be in it, and must not control the terminal."""
    return escape_controls(text, keep="\n\t")
