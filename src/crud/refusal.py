import hashlib
import json
import time
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID, uuid5

from src.core.stores.documents import Documents
from src.core.stores.redis_client import RedisClient
from src.core.stores.redis_script import RedisScript
from src.models.audit import AuditLog
from src.utils.address import network_of

WINDOW_SECONDS = 60
KEEP_SECONDS = 24 * 3600
"""How long counts wait to be written, while MongoDB is unavailable."""

# Refusals of one kind, and of one account or address, that are recorded one by one in each window.
INDIVIDUALLY = 20
INDIVIDUALLY_IN_ALL = 100

_NAMESPACE = UUID("6f0c9a52-5d0b-4c53-9a0e-3f6f5b0d7c11")
# The braces are literal: one slot in Redis Cluster.
_MERGED = "audit:refusals:{audit}:merged"
_PREFIX = "audit:refusals:{audit}:"

# Returns how often this kind, this account and this address were refused in the window.
_COUNT = RedisScript(
    """
local counts = {redis.call('HINCRBY', kind, 'times', 1), 0, 0}
redis.call('EXPIRE', kind, keep_seconds)
for index, key in ipairs({account, address}) do
  counts[index + 1] = redis.call('INCR', key)
  redis.call('EXPIRE', key, 2 * window_seconds)
end
local total = has_account == '1' and counts[2] or counts[3]
if counts[1] > tonumber(individually) or total > tonumber(individually_in_all) then
  redis.call('HINCRBY', kind, 'merged', 1)
  redis.call('HSET', kind, 'payload', payload)
  redis.call('ZADD', merged, window, kind)
  return {0, counts[2], counts[3]}
end
return counts
""",
    keys="kind account address merged",
    args="payload window has_account individually individually_in_all window_seconds keep_seconds",
)


class Refusals(NamedTuple):
    """How often requests were refused during the last minute.

    Attributes:
        is_merged: This one is counted, and must not be recorded by itself.
        of_account: Those of the account; without one, of all anonymous requests.
        of_address: Those from the IP address, or its IPv6 network.
    """

    is_merged: bool
    of_account: int
    of_address: int


class RefusalCRUD:
    """Counts refused requests, and merges equal ones: one audit entry per minute instead of thousands."""

    def __init__(self, redis: RedisClient, documents: Documents) -> None:
        self.redis = redis
        self.documents = documents

    async def count(self, payload: dict[str, Any]) -> Refusals:
        """Count a refusal, given by the fields of its audit entry."""
        window = int(time.time()) // WINDOW_SECONDS
        names = ("action", "actor_id", "api_key_id", "acted_by", "status", "error", "address", "details")
        kind = json.dumps([payload[name] for name in names])
        digest = hashlib.sha256(kind.encode()).hexdigest()[:32]
        times, of_account, of_address = await _COUNT.run(
            self.redis,
            kind=f"{_PREFIX}{window}:kind:{digest}",
            account=f"{_PREFIX}{window}:account:{payload['actor_id']}",
            address=f"{_PREFIX}{window}:address:{network_of(payload['address'])}",
            merged=_MERGED,
            payload=json.dumps(payload),
            window=window,
            has_account=int(payload["actor_id"] is not None),
            individually=INDIVIDUALLY,
            individually_in_all=INDIVIDUALLY_IN_ALL,
            window_seconds=WINDOW_SECONDS,
            keep_seconds=KEEP_SECONDS,
        )
        return Refusals(times == 0, of_account, of_address)

    async def merged(self, limit: int) -> dict[str, dict[str, Any] | None]:
        """Entries of windows that have ended, by their keys, always with the same `_id`; None for an unreadable one."""
        ended = int(time.time() - 1) // WINDOW_SECONDS - 1
        rows: list[Any] = await self.redis.zrangebyscore(_MERGED, "-inf", ended, start=0, num=limit, withscores=True)
        if rows:
            await self.documents.bind(AuditLog)
        return {str(key): await self._entry(str(key), int(window)) for key, window in rows}

    async def _entry(self, key: str, window: int) -> dict[str, Any] | None:
        payload, times = await self.redis.hmget(key, ["payload", "merged"])
        fixed = {"_id": uuid5(_NAMESPACE, key), "time": datetime.fromtimestamp((window + 1) * WINDOW_SECONDS, UTC)}
        try:
            entry = AuditLog.model_validate({**json.loads(payload or ""), **fixed, "times": times})
        except (TypeError, ValueError):
            return None
        fields: dict[str, Any] = entry.model_dump(by_alias=True)
        return fields

    async def delete(self, keys: Collection[str]) -> None:
        """Delete merged entries that are written."""
        await self.redis.zrem(_MERGED, *keys)
        await self.redis.delete(*keys)
