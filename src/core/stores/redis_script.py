import hashlib
from collections.abc import Sequence
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import NoScriptError

from src.core.stores.redis_batch import RedisBatch


class RedisScript:
    """A Lua script, hashed once; redis-py's own is made, and hashed, for each client and so for each request."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.sha = hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()

    async def run(self, redis: Redis | RedisBatch, keys: Sequence[str], args: Sequence[Any]) -> Any:
        """Run it in one round trip; in two on a server that does not know it yet."""
        try:
            return await redis.execute_command("EVALSHA", self.sha, len(keys), *keys, *args)
        except NoScriptError:
            return await redis.execute_command("EVAL", self.source, len(keys), *keys, *args)
