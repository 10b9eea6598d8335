"""Tickets in Redis: what a user has begun and has to prove, a login or the enrolment of a factor."""

from collections.abc import Mapping

from src.core.stores.redis_client import RedisClient
from src.core.stores.redis_script import RedisScript

_STORE = RedisScript(
    """
redis.call('HSET', ticket, unpack(ARGV, 2))
redis.call('EXPIRE', ticket, seconds)
""",
    keys="ticket",
    args="seconds",
)

# Counts the attempt before it is checked, so that parallel ones are not more.
_ATTEMPT = RedisScript(
    """
if redis.call('EXISTS', ticket) == 0 then return {} end
if redis.call('HINCRBY', ticket, 'attempts', 1) > tonumber(maximum) then
  redis.call('DEL', ticket)
  return {}
end
return redis.call('HGETALL', ticket)
""",
    keys="ticket",
    args="maximum",
)


class FactorTicketCRUD:
    """Stores tickets under a name that only their holder knows."""

    def __init__(self, redis: RedisClient) -> None:
        self.redis = redis

    async def store(self, name: str, fields: Mapping[str, str | bytes], seconds: int) -> None:
        """Store a ticket."""
        flat = [part for pair in fields.items() for part in pair]
        await _STORE.run(self.redis, *flat, ticket=_key(name), seconds=seconds)

    async def attempt(self, name: str, maximum: int) -> dict[str, str]:
        """The fields of a ticket for one of its `maximum` attempts; empty if it has expired or was used up."""
        flat: list[str] = await _ATTEMPT.run(self.redis, ticket=_key(name), maximum=maximum)
        return dict(zip(flat[::2], flat[1::2], strict=True))

    async def consume(self, name: str) -> bool:
        """Delete a ticket; of several callers, one gets True."""
        return bool(await self.redis.delete(_key(name)))


def _key(name: str) -> str:
    return f"auth:ticket:{name}"
