"""The last minutes of what was emitted, read from the channel's stream."""

import asyncio
import json
from typing import Any

from src.core.realtime.event_bus import STREAM, EventBus, EventBusError

_PAGE = 1000
_PAGES = 5

Messages = list[tuple[int, dict[str, Any]]]
"""When each was emitted, in milliseconds, and what it was; oldest first."""


class StreamReader:
    """Reads the stream, once for all who ask while it is read: after a deployment all clients come back together."""

    def __init__(self, channel: EventBus) -> None:
        self._channel = channel
        self._reading = asyncio.Lock()
        self._next: asyncio.Task[Messages] | None = None
        self._start = 0

    async def since(self, start: int) -> Messages:
        """Everything from a time on, in milliseconds, what is being written now included.

        Raises:
            EventBusError: It cannot be told, or is too much.
        """
        if self._next is None:
            self._next, self._start = asyncio.create_task(self._read_next()), start
        self._start = min(self._start, start)
        messages = await asyncio.shield(self._next)
        return [(sent_at, message) for sent_at, message in messages if sent_at >= start]

    async def _read_next(self) -> Messages:
        async with self._reading:
            # Who asks from now on may want what this reading does not see any more.
            self._next, start = None, self._start
            return await self._channel.ask(lambda: self._read(start))

    async def _read(self, start: int) -> Messages:
        await self._channel.commit_invalidation()
        messages: Messages = []
        begin = str(max(0, start))
        for _ in range(_PAGES):
            entries: Any = await self._channel.redis.xrange(STREAM, begin, "+", count=_PAGE)
            messages += [(int(key.partition(b"-")[0]), json.loads(fields[b"message"])) for key, fields in entries]
            if len(entries) < _PAGE:
                return messages
            begin = f"({entries[-1][0].decode()}"
        raise EventBusError
