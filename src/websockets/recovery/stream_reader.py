import asyncio
import json
from collections.abc import Mapping
from typing import Any

from redis.exceptions import ResponseError

from src.core.realtime.event_bus import STREAM, EventBus, EventBusError

_PAGE = 1000
_MAX_PAGES = 10

Messages = list[tuple[int, dict[str, Any]]]
"""Time in Unix milliseconds, and message; oldest first."""


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
        """Read everything since a time in Unix milliseconds, including what is being published now.

        Returns:
            The messages, and since when the stream is complete: 0 if nothing was removed, None if it does not exist.

        Raises:
            EventBusError: Redis failed, or there are too many messages.
        """
        if self._next is None:
            self._next, self._start = asyncio.create_task(self._read_next()), start
        self._start = min(self._start, start)
        messages, complete_since = await asyncio.shield(self._next)
        return [(sent_at, message) for sent_at, message in messages if sent_at >= start], complete_since

    async def _read_next(self) -> tuple[Messages, int | None]:
        async with self._reading:
            self._next, start = None, self._start  # later callers need a newer reading
            return await self._bus.read(lambda: self._read(start))

    async def _read(self, start: int) -> tuple[Messages, int | None]:
        await self._bus.flush()
        messages: Messages = []
        begin = str(max(0, start))
        for _ in range(_MAX_PAGES):
            entries: Any = await self._bus.redis.xrange(STREAM, begin, "+", count=_PAGE)
            messages += [(_milliseconds(key), message) for key, fields in entries if (message := _message(fields))]
            if len(entries) < _PAGE:
                return messages, await self._complete_since()
            begin = f"({entries[-1][0].decode()}"
        raise EventBusError

    async def _complete_since(self) -> int | None:
        try:
            stream: Any = await self._bus.redis.xinfo_stream(STREAM)
        except ResponseError:
            return None
        is_trimmed = stream["entries-added"] > stream["length"]
        return _milliseconds(stream["first-entry"][0]) if is_trimmed else 0


def _milliseconds(key: bytes) -> int:
    return int(key.partition(b"-")[0])


def _message(fields: Mapping[bytes, bytes]) -> dict[str, Any] | None:
    """The message of an entry; None for an entry that is none, which must keep nobody from recovering."""
    try:
        message = json.loads(fields[b"message"])
    except (KeyError, ValueError, RecursionError):
        return None
    return message if isinstance(message, dict) and message.keys() >= {"namespace", "room"} else None
