"""Tells who is in a room, in all processes."""

import asyncio
from collections.abc import Callable
from typing import Any

import structlog

from src.core.realtime.event_bus import EventBus, EventBusError
from src.core.realtime.presence import LIFETIME_SECONDS, Member, read_presence, write_presence
from src.utils.cancellation import raise_if_cancelled

log = structlog.get_logger(__name__)


class RoomPresence:
    """The members of rooms in the namespace `/`, for the `presence` argument of `AsyncServer`.

    Args:
        bus: Where the servers meet.
        member: Maps an `auth` payload to the name of the member; connections of one name count once.
        rooms: Whether the members of a room are recorded.
    """

    def __init__(self, bus: EventBus, member: Callable[[Any], str], rooms: Callable[[str], bool]) -> None:
        self._bus = bus
        self._member = member
        self._is_recorded = rooms
        self._members: dict[str, dict[str, str]] = {}
        self._changed: set[Member] = set()
        self._writing = asyncio.Lock()

    def enter(self, room: str, sid: str, auth: Any) -> bool:
        """Add a client of this process; returns whether `flush` has to be called."""
        if not self._is_recorded(room):
            return False
        try:
            member = self._member(auth)
        except Exception as error:  # the connect handler refuses the client
            log.info("member_unknown", reason=type(error).__name__)
            return False
        self._members.setdefault(room, {})[sid] = member
        self._changed.add((room, member))
        return True

    def leave(self, room: str, sid: str) -> bool:
        """Remove a client of this process; returns whether `flush` has to be called."""
        sids = self._members.get(room, {})
        member = sids.pop(sid, None)
        if not sids:
            self._members.pop(room, None)
        if member is None:
            return False
        self._changed.add((room, member))
        return True

    async def members(self, room: str) -> set[str]:
        """Find who is in a room.

        Raises:
            RedisError: Redis failed or timed out.
        """
        try:
            others = await self._bus.read(lambda: read_presence(self._bus.redis, room))
        except EventBusError as error:
            raise error.__cause__ or error from error
        return others | set(self._members.get(room, {}).values())

    async def flush(self) -> None:
        """Write what has changed to Redis; what fails is written by the next call."""
        async with self._writing:
            changed, self._changed = self._changed, set()
            await self._write(changed)

    async def keep(self) -> None:
        """Renew the members of this process, for ever."""
        while True:
            await asyncio.sleep(LIFETIME_SECONDS / 3)
            self._changed |= self._here
            await self.flush()
            raise_if_cancelled()

    async def aclose(self) -> None:
        """Remove the members of this process."""
        self._changed, self._members = self._changed | self._here, {}
        await self.flush()

    @property
    def _here(self) -> set[Member]:
        return {(room, member) for room, sids in self._members.items() for member in sids.values()}

    async def _write(self, changed: set[Member]) -> None:
        present = {(room, member) for room, member in changed if member in self._members.get(room, {}).values()}
        redis, process = self._bus.redis, self._bus.process
        if changed:
            try:
                await self._bus.write(lambda: write_presence(redis, process, present, changed - present))
            except EventBusError:
                self._changed |= changed
