from collections.abc import Sequence
from typing import Any

from redis.asyncio import Redis

from src.core.tasks.run_event import CAPACITY, STREAM, RunEvent, revocation_key

REVOCATION_SECONDS = 7 * 24 * 3600


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

    async def oldest(self, limit: int) -> tuple[Sequence[RunEvent], Sequence[str]]:
        """The oldest events, and their ids in the stream."""
        entries: Any = await self.redis.xrange(STREAM, count=limit)
        events = [RunEvent.model_validate_json(fields["event"]) for _, fields in entries]
        return events, [entry_id for entry_id, _ in entries]

    async def delete(self, entry_ids: Sequence[str]) -> None:
        """Delete events from the stream."""
        await self.redis.xdel(STREAM, *entry_ids)

    async def revoke(self, task_id: object) -> None:
        """Keep a run from starting on any worker, for a week."""
        await self.redis.set(revocation_key(task_id), 1, ex=REVOCATION_SECONDS)
