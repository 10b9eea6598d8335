"""What a process has handled, and so what its clients have been sent."""

import re
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

Messages = list[tuple[int, dict[str, Any]]]
"""Position in the stream, and message; oldest first."""

_OFFSET = re.compile(r"(\d{1,20})(?:;([0-9a-f]{8})-(\d{1,15}))?")


class Offset(NamedTuple):
    """A process has handled the stream up to `position`, and its own events up to `number`.

    Clients get it with each event, as a text, and return it: so they tell what they have received, whatever became of
    the process. The offset of a replayed event has a position only.
    """

    position: int = 0
    process: str = ""
    number: int = -1

    def __str__(self) -> str:
        return f"{self.position};{self.process}-{self.number}" if self.number >= 0 else str(self.position)

    @classmethod
    def parse(cls, text: object) -> Self | None:
        """Read what a client sends; None if it is no offset."""
        match = _OFFSET.fullmatch(text) if isinstance(text, str) else None
        if match is None:
            return None
        position, process, number = match.groups()
        return cls(int(position), process, int(number)) if process else cls(int(position))

    def at_least(self, position: int) -> Self:
        """The same, after the stream was replayed up to `position`."""
        return self if self.position >= position else self._replace(position=position)


@dataclass(slots=True)
class Progress:
    """The events that a client has received: everything that any of its offsets says.

    Attributes:
        position: All up to there in the stream.
        numbers: By process, its own events up to this number, wherever they are in the stream.
    """

    position: int = 0
    numbers: dict[str, int] = field(default_factory=dict)

    @classmethod
    def up_to(cls, offset: str) -> Self:
        """What an offset says."""
        progress = cls()
        progress.add(Offset.parse(offset) or Offset())
        return progress

    def add(self, offset: Offset) -> None:
        """Add what an offset says."""
        self.position = max(self.position, offset.position)
        if offset.number >= 0:
            self.numbers[offset.process] = max(self.numbers.get(offset.process, -1), offset.number)

    def includes(self, position: int, message: dict[str, Any]) -> bool:
        """Whether a message of the stream was received."""
        return position <= self.position or self._includes_own(message)

    def forget_processes(self, messages: Messages) -> None:
        """Forget the numbers that say nothing about `messages`, which are the rest of the stream."""
        self.numbers = {
            process: number
            for process, number in self.numbers.items()
            if any(process_of(message) == process and self._includes_own(message) for _, message in messages)
        }

    def _includes_own(self, message: dict[str, Any]) -> bool:
        number = number_of(message)
        return number is not None and number <= self.numbers.get(process_of(message), -1)


def process_of(message: dict[str, Any]) -> str:
    """The process that has published a message."""
    return str(message.get("host_id"))[:8]


def number_of(message: dict[str, Any]) -> int | None:
    """The number of an event among those of its process; None if it is no event that may be replayed."""
    number = message.get("number")
    return number if isinstance(number, int) else None
