from collections.abc import Sequence
from typing import Any

from redis.asyncio import Redis

from src.core.tasks.run_event import CAPACITY, STREAM, RunEvent, revocation_key

REVOCATION_SECONDS = 7 * 24 * 3600


class RunEventCRUD:
    """What workers tell of runs, until it is in the ledger."""

    def __init__(self, redis: Redis) -> None:
        self.redis = redis

    async def add(self, event: RunEvent) -> None:
        """Tell."""
        await self.redis.xadd(STREAM, {"event": event.written()}, maxlen=CAPACITY)

    async def is_any_waiting(self) -> bool:
        """Whether anything was told."""
        return bool(await self.redis.xlen(STREAM))

    async def oldest(self, limit: int) -> tuple[Sequence[RunEvent], Sequence[str]]:
        """The oldest events, and their places in the stream."""
        entries: Any = await self.redis.xrange(STREAM, count=limit)
        return [RunEvent.model_validate_json(fields["event"]) for _, fields in entries], [place for place, _ in entries]

    async def forget(self, places: Sequence[str]) -> None:
        """Remove what is in the ledger."""
        await self.redis.xdel(STREAM, *places)

    async def revoke(self, task_id: object) -> None:
        """Keep a run from starting, whichever worker gets it, for a week."""
        await self.redis.set(revocation_key(task_id), 1, ex=REVOCATION_SECONDS)
