"""Permission codes of a user in Redis: one set, stamped with the epochs that it was read under.

A change of a role moves the global epoch, a change of a user the user's; a set whose stamp is not the present one
counts as missing. So a revocation costs one write, however many users it concerns, and nothing stale is ever believed.

While a change is being committed the epoch is unsettled (`!`): readers go to SQL and store nothing. If the process dies
there, the mark expires and a fresh epoch is minted.
"""

import secrets
from collections.abc import Collection
from enum import Enum
from uuid import UUID

from redis.asyncio import Redis

from src.core.stores.redis_batch import RedisBatch
from src.core.stores.redis_script import RedisScript
from src.crud.session import session_key

# An administrator's set holds this one code, which grants every other.
ALL_CODES = "*"

_GLOBAL_EPOCH = "auth:epoch"

# Longer than any transaction of a request lasts.
UNSETTLED_SECONDS = 60

# KEYS: session, codes, the user's epoch, the global epoch. ARGV: the code, a fresh epoch for each that is missing.
# Answers 'ended', 'granted', 'denied', or the stamp to fill the set under.
_CHECK = RedisScript("""
if redis.call('EXISTS', KEYS[1]) == 0 then return 'ended' end
local epochs = redis.call('MGET', KEYS[4], KEYS[3])
for place, key in ipairs({KEYS[4], KEYS[3]}) do
  if not epochs[place] then
    redis.call('SET', key, ARGV[2])
    epochs[place] = ARGV[2]
  end
end
local stamp = '@' .. epochs[1] .. ':' .. epochs[2]
local found = redis.call('SMISMEMBER', KEYS[2], stamp, ARGV[1], '*')
if found[1] == 0 then return stamp end
if found[2] == 1 or found[3] == 1 then return 'granted' end
return 'denied'
""")

# KEYS: codes, the user's epoch, the global epoch. ARGV: seconds to keep, stamp, codes.
_FILL = RedisScript("""
local stamp = '@' .. (redis.call('GET', KEYS[3]) or '') .. ':' .. (redis.call('GET', KEYS[2]) or '')
if stamp ~= ARGV[2] or string.find(stamp, '!', 1, true) then return 0 end
redis.call('DEL', KEYS[1])
for first = 2, #ARGV, 1000 do
  redis.call('SADD', KEYS[1], unpack(ARGV, first, math.min(first + 999, #ARGV)))
end
redis.call('EXPIRE', KEYS[1], ARGV[1])
return 1
""")


# KEYS: epoch. ARGV: the mark of the change, a fresh epoch.
_SETTLE = RedisScript("""
local epoch = redis.call('GET', KEYS[1])
if epoch and epoch ~= ARGV[1] and string.sub(epoch, 1, 1) == '!' then return end
redis.call('SET', KEYS[1], ARGV[2])
""")


class Verdict(Enum):
    """What the cache knows."""

    ENDED = "ended"
    GRANTED = "granted"
    DENIED = "denied"


def _codes_key(user_id: UUID) -> str:
    return f"auth:permission:{{{user_id}}}"


def _epoch_key(user_id: UUID) -> str:
    return f"auth:epoch:{{{user_id}}}"


class PermissionCRUD:
    """Asks, fills and outdates the sets."""

    def __init__(self, redis: Redis, batch: RedisBatch | None = None) -> None:
        self.redis = redis
        self._checks = batch or redis

    async def check(self, user_id: UUID, session_id: str, code: str) -> Verdict | str:
        """One round trip: is the session alive and the code granted? A stamp means: fill first."""
        keys = [session_key(user_id, session_id), _codes_key(user_id), _epoch_key(user_id), _GLOBAL_EPOCH]
        answer: str = await _CHECK.run(self._checks, keys, [code, _fresh_epoch()])
        return answer if answer.startswith("@") else Verdict(answer)

    async def fill(self, user_id: UUID, stamp: str, codes: Collection[str], seconds: int) -> bool:
        """Store the codes, unless the epochs have moved since the stamp was handed out."""
        keys = [_codes_key(user_id), _epoch_key(user_id), _GLOBAL_EPOCH]
        return bool(await _FILL.run(self.redis, keys, [seconds, stamp, *codes]))

    async def begin_invalidation(self, user_id: UUID | None = None) -> str:
        """Mark a user's codes, or everybody's, as about to change; returns the mark for `commit_invalidation`."""
        mark = f"!{_fresh_epoch()}"
        await self.redis.set(_epoch_of(user_id), mark, ex=UNSETTLED_SECONDS)
        return mark

    async def commit_invalidation(self, mark: str, user_id: UUID | None = None) -> None:
        """The change is committed: what was cached before is no longer true, and what is read now may be cached.

        Another change that is being committed meanwhile keeps its mark.
        """
        await _SETTLE.run(self.redis, [_epoch_of(user_id)], [mark, _fresh_epoch()])


def _epoch_of(user_id: UUID | None) -> str:
    return _GLOBAL_EPOCH if user_id is None else _epoch_key(user_id)


def _fresh_epoch() -> str:
    return secrets.token_hex(8)
