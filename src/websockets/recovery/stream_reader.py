import asyncio
import json
from collections.abc import Mapping
from typing import Any

from src.core.realtime.event_bus import STREAM, EventBus, EventBusError
from src.core.realtime.positions import entry_id, position_of
from src.websockets.recovery.progress import Messages

_PAGE = 1000
_MAX_PAGES = 10


class StreamReader:
    """Reads recent messages from the bus's stream.

    Concurrent callers share one reading: after a deployment all clients reconnect at once.
    """

    def __init__(self, bus: EventBus) -> None:
        self._bus = bus
        self._reading = asyncio.Lock()
        self._next: asyncio.Task[tuple[Messages, int | None]] | None = None
        self._start = 0

    async def since(self, start: int) -> tuple[Messages, int | None]:
        """Read everything after a position, including what is being published now.

        Returns:
            The messages, and a position after which nothing was removed from the stream, None if there is no stream.

        Raises:
            EventBusError: Redis failed, or there are too many messages.
        """
        if self._next is None:
            self._next, self._start = asyncio.create_task(self._read_next()), start
        self._start = min(self._start, start)
        messages, complete_since = await asyncio.shield(self._next)
        return [(position, message) for position, message in messages if position > start], complete_since

    async def _read_next(self) -> tuple[Messages, int | None]:
        async with self._reading:
            self._next, start = None, self._start  # later callers need a newer reading
            return await self._bus.read(lambda: self._read(start))

    async def _read(self, start: int) -> tuple[Messages, int | None]:
        await self._bus.flush()
        messages: Messages = []
        begin, complete_since = entry_id(start), None
        for _ in range(_MAX_PAGES):
            entries: Any = await self._bus.redis.xrange(STREAM, begin, "+", count=_PAGE)
            if complete_since is None and entries:
                complete_since = _complete_since(entries[0], start)
            messages += [(position_of(key), message) for key, fields in entries if (message := _message(fields))]
            if len(entries) < _PAGE:
                break
            begin = f"({entries[-1][0].decode()}"
        else:
            raise EventBusError
        if complete_since is None and await self._bus.redis.exists(STREAM):
            complete_since = start  # it always has its newest message
        return messages, complete_since


def _complete_since(first: tuple[bytes, Mapping[bytes, bytes]], start: int) -> int:
    """Nothing after `start` was removed if that is still there, or the first message after it followed on it."""
    key, fields = first
    position = position_of(key)
    if position <= start:
        return position
    try:
        return position_of(fields[b"previous"])
    except (KeyError, ValueError):
        return position - 1


def _message(fields: Mapping[bytes, bytes]) -> dict[str, Any] | None:
    """The message of an entry; None for an entry that is none, which must keep nobody from recovering."""
    try:
        message = json.loads(fields[b"message"])
    except (KeyError, ValueError, RecursionError):
        return None
    return message if isinstance(message, dict) and message.keys() >= {"namespace", "room"} else None
