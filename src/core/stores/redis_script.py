import hashlib
from collections.abc import Sequence
from typing import Any

from redis.exceptions import NoScriptError

from src.core.stores.redis_client import RedisClient


class RedisScript:
    """A Lua script whose hash is computed once; redis-py's `Script` is built, and hashed, for each client."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.sha = hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()

    async def run(self, redis: RedisClient, keys: Sequence[str], args: Sequence[Any]) -> Any:
        """Run the script in one round trip, or in two if the server does not have it yet."""
        try:
            return await redis.execute_command("EVALSHA", self.sha, len(keys), *keys, *args)
        except NoScriptError:
            return await redis.execute_command("EVAL", self.source, len(keys), *keys, *args)
