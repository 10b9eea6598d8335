from collections.abc import Sequence
from typing import Any

import structlog
from redis.asyncio import Redis

from src.core.tasks.run_event import CAPACITY, MALFORMED_STREAM, STREAM, RunEvent, revocation_key

log = structlog.get_logger(__name__)

REVOCATION_SECONDS = 7 * 24 * 3600
MAXIMUM_MALFORMED = 1000
MAXIMUM_TEXT = 4000


class RunEventCRUD:
    """The stream of run events that are not yet in `task_runs`, and the keys of revoked runs."""

    def __init__(self, redis: Redis) -> None:
        self.redis = redis

    async def add(self, event: RunEvent) -> None:
        """Append an event."""
        await self.redis.xadd(STREAM, {"event": event.to_json()}, maxlen=CAPACITY)

    async def is_any_waiting(self) -> bool:
        """Whether the stream has events."""
        return bool(await self.redis.xlen(STREAM))

    async def oldest(self, limit: int) -> dict[str, RunEvent]:
        """The oldest events by their ids in the stream; entries that are none are set aside."""
        entries: Any = await self.redis.xrange(STREAM, count=limit)
        events, malformed = {}, []
        for entry_id, fields in entries:
            try:
                events[entry_id] = RunEvent.model_validate_json(fields["event"])
            except (KeyError, ValueError):
                malformed.append(entry_id)
        if malformed:
            await self.set_aside(malformed)
        return events

    async def set_aside(self, entry_ids: Sequence[str]) -> None:
        """Move entries that cannot be recorded to another stream, so that they do not block those that follow."""
        for entry_id in entry_ids:
            entries: Any = await self.redis.xrange(STREAM, entry_id, entry_id)
            for _, fields in entries:
                await self.redis.xadd(MALFORMED_STREAM, fields, maxlen=MAXIMUM_MALFORMED)
        await self.delete(entry_ids)
        log.error("run_events_set_aside", count=len(entry_ids), stream=MALFORMED_STREAM)

    async def malformed(self, limit: int) -> tuple[Sequence[str], int]:
        """The newest entries that were set aside, as text, and how many there are."""
        entries: Any = await self.redis.xrevrange(MALFORMED_STREAM, count=limit)
        return [str(fields)[:MAXIMUM_TEXT] for _, fields in entries], await self.redis.xlen(MALFORMED_STREAM)

    async def delete(self, entry_ids: Sequence[str]) -> None:
        """Delete events from the stream."""
        await self.redis.xdel(STREAM, *entry_ids)

    async def revoke(self, task_id: object) -> None:
        """Keep a run from starting on any worker, for a week."""
        await self.redis.set(revocation_key(task_id), 1, ex=REVOCATION_SECONDS)
