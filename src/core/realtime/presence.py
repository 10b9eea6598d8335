"""Who is in a room, in all processes: a sorted set for each room, of members by when they expire.

The process of a member renews it. Those of a killed process are gone after 30 seconds.
"""

import time
from collections.abc import Iterable
from typing import Any

LIFETIME_SECONDS = 30

Member = tuple[str, str]
"""A room, and who is in it."""


async def write_presence(redis: Any, process: str, present: Iterable[Member], gone: Iterable[Member]) -> None:
    """Renew the members of a process, and remove those that left."""
    pipeline = redis.pipeline(transaction=False)
    expires_at = time.time() + LIFETIME_SECONDS
    for room, member in present:
        pipeline.zadd(_key(room), {f"{process}:{member}": expires_at})
        pipeline.expire(_key(room), LIFETIME_SECONDS)
    for room, member in gone:
        pipeline.zrem(_key(room), f"{process}:{member}")
    for room in {room for room, _ in present}:
        pipeline.zremrangebyscore(_key(room), 0, time.time())
    await pipeline.execute()


async def read_presence(redis: Any, room: str) -> set[str]:
    """Find the members of a room."""
    entries = await redis.zrangebyscore(_key(room), time.time(), "+inf")
    texts = (entry.decode() if isinstance(entry, bytes) else entry for entry in entries)
    return {text.partition(":")[2] for text in texts}


async def is_anyone_in(redis: Any, room: str) -> bool:
    """Whether a room has members; a sender may leave out what nobody would receive."""
    return bool(await redis.zcount(_key(room), time.time(), "+inf"))


def _key(room: str) -> str:
    return f"socketio:presence:{room}"
