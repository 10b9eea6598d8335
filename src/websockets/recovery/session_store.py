import asyncio
from collections.abc import Iterable
from typing import Any

import structlog

from src.core.realtime.event_bus import STREAM, EventBus, EventBusError
from src.websockets.recovery.session import RecoverableSession, now

log = structlog.get_logger(__name__)

RENEWAL_SECONDS = 15
_LEASE_LENGTH = 16

# A saved session is its lease, followed by its JSON; the lease alone while the session is being recovered. The
# second key is the stream, which must not expire before.
_OWNED = "string.sub(saved, 1, #ARGV[1]) == ARGV[1]"
_SAVE = f"""
local saved = redis.call('GET', KEYS[1])
if saved and not ({_OWNED}) then return 0 end
redis.call('SET', KEYS[1], ARGV[1] .. ARGV[2], 'EX', ARGV[3])
redis.call('EXPIRE', KEYS[2], ARGV[3])
return 1
"""
_CLAIM = f"""
local saved = redis.call('GET', KEYS[1])
if not saved or not ({_OWNED}) then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
redis.call('EXPIRE', KEYS[2], ARGV[3])
return 1
"""
_FORGET = f"""
local saved = redis.call('GET', KEYS[1])
if saved and {_OWNED} then return redis.call('DEL', KEYS[1]) end
return 0
"""


class SessionStore:
    """Sessions in Redis: those of broken connections, and of open ones whose clients track offsets.

    A session that is open is saved when its rooms change, and else only renewed; so a killed process loses none. Each
    belongs to one connection at a time: whoever recovers it first takes it from all others.
    """

    def __init__(self, bus: EventBus) -> None:
        self._bus = bus
        self._changed: dict[str, RecoverableSession] = {}
        self._saving = asyncio.Lock()

    def mark(self, session: RecoverableSession) -> None:
        """Let the next `flush` save a session."""
        self._changed[session.private_session_id] = session

    async def flush(self) -> bool:
        """Save the marked sessions, or return when another call has; those that fail stay marked.

        Returns:
            Whether what was marked before the call is saved.
        """
        async with self._saving:
            changed, self._changed = self._changed, {}
            is_saved = not changed or await self._save(changed.values())
            if not is_saved:
                self._changed = changed | self._changed
            return is_saved

    async def save(self, session: RecoverableSession) -> None:
        """Save the session of a broken connection; without Redis it is lost.

        Whoever recovers it must find in the stream what the client has received from this process.
        """
        await self._bus.flush()
        async with self._saving:
            self._changed.pop(session.private_session_id, None)
            if not await self._save([session]):
                log.info("session_not_saved")

    async def forget(self, session: RecoverableSession) -> None:
        """Delete a session that has ended."""
        key = _key(session.private_session_id)
        async with self._saving:
            self._changed.pop(session.private_session_id, None)
            await self._write(lambda pipeline: pipeline.eval(_FORGET, 1, key, session.lease))

    async def renew(self, sessions: Iterable[RecoverableSession]) -> None:
        """Keep open sessions for longer, and save those that are not in Redis."""
        async with self._saving:  # else one that is deleted meanwhile would be saved again
            seconds, kept = self._bus.replay.seconds, list(sessions)
            keys = [_key(session.private_session_id) for session in kept]
            renewed = await self._write(lambda pipeline: [pipeline.expire(key, seconds) for key in (*keys, STREAM)])
            for session, is_kept in zip(kept, renewed or (), strict=False):
                if not is_kept:
                    self.mark(session)
        await self.flush()

    async def find(self, private_session_id: str) -> tuple[RecoverableSession, int] | None:
        """Find a session, and when it was saved or renewed, in Unix milliseconds.

        None also without Redis, or if another version of this program has saved what this one cannot read.
        """
        key = _key(private_session_id)
        pipeline: Any = self._bus.redis.pipeline()
        try:
            saved, left = await self._bus.read(pipeline.get(key).pttl(key).execute)
        except EventBusError:
            return None
        if not saved or len(saved) == _LEASE_LENGTH:
            return None
        try:
            session = RecoverableSession.from_json(saved[_LEASE_LENGTH:])
        except (KeyError, TypeError, ValueError):
            return None
        return session, now() - self._bus.replay.seconds * 1000 + left

    async def claim(self, session: RecoverableSession, lease: str) -> bool:
        """Take a session from the connection that has it; returns False if another one was faster."""
        arguments = _key(session.private_session_id), STREAM, session.lease, lease, self._bus.replay.seconds
        claimed = await self._write(lambda pipeline: pipeline.eval(_CLAIM, 2, *arguments))
        session.lease = lease
        return bool(claimed and claimed[0])

    async def _save(self, sessions: Iterable[RecoverableSession]) -> bool:
        seconds = self._bus.replay.seconds
        entries = [(_key(each.private_session_id), STREAM, each.lease, each.to_json(), seconds) for each in sessions]
        return bool(await self._write(lambda pipeline: [pipeline.eval(_SAVE, 2, *entry) for entry in entries]))

    async def _write(self, add: Any) -> list[Any] | None:
        """Run a pipeline to which `add` adds commands; returns None if Redis fails."""
        pipeline: Any = self._bus.redis.pipeline(transaction=False)
        add(pipeline)
        try:
            replies: list[Any] = await self._bus.write(pipeline.execute)
        except EventBusError:
            return None
        return replies


def _key(private_session_id: str) -> str:
    return f"socketio:connection:{private_session_id}"
