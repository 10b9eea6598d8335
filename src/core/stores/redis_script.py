import hashlib
from typing import Any

from redis.exceptions import NoScriptError

from src.core.stores.redis_client import RedisClient


class RedisScript:
    """A Lua script whose hash is computed once; redis-py's `Script` is built, and hashed, for each client.

    `keys` and `args` name the elements of `KEYS` and `ARGV` in their order, separated by spaces; the script has a local
    variable for each. Further arguments may follow.
    """

    def __init__(self, source: str, *, keys: str, args: str) -> None:
        self._key_count = len(keys.split())
        self._names = [*keys.split(), *args.split()]
        values = [f"KEYS[{number}]" for number in range(1, self._key_count + 1)]
        values += [f"ARGV[{number}]" for number in range(1, len(args.split()) + 1)]
        self._source = f"local {', '.join(self._names)} = {', '.join(values)}\n{source}"
        self._sha = hashlib.sha1(self._source.encode(), usedforsecurity=False).hexdigest()

    async def run(self, redis: RedisClient, *further: Any, **values: Any) -> Any:
        """Run the script, with a value for each name: one round trip, or two if the server does not have it yet."""
        if values.keys() != set(self._names):
            raise TypeError(f"The script takes exactly {', '.join(self._names)}.")
        arguments = (self._key_count, *[values[name] for name in self._names], *further)
        try:
            return await redis.execute_command("EVALSHA", self._sha, *arguments)
        except NoScriptError:
            return await redis.execute_command("EVAL", self._source, *arguments)
