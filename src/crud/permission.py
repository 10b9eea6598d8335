"""Permission codes of a user in Redis: one set, stamped with the epochs that it was read under.

A change of a role moves the global epoch, a change of a user the user's; a set whose stamp is not the present one
counts as missing. So a revocation costs one write, however many users it concerns, and nothing stale is ever believed.

While a change is being committed the epoch is unsettled (`!`): readers go to SQL and store nothing. If the process dies
there, the mark expires and a fresh epoch is minted.
"""

import secrets
from collections.abc import Collection
from enum import Enum
from functools import cached_property
from typing import Any
from uuid import UUID

from redis.asyncio import Redis

from src.crud.session import session_key

# An administrator's set holds this one code, which grants every other.
ALL_CODES = "*"

_GLOBAL_EPOCH = "auth:epoch"

# Longer than any transaction of a request lasts.
UNSETTLED_SECONDS = 60

# KEYS: session, codes, the user's epoch, the global epoch. ARGV: the code, two fresh epochs.
# Answers 'ended', 'granted', 'denied', or the stamp to fill the set under.
_CHECK = """
if redis.call('EXISTS', KEYS[1]) == 0 then return 'ended' end
redis.call('SET', KEYS[3], ARGV[2], 'NX')
redis.call('SET', KEYS[4], ARGV[3], 'NX')
local stamp = '@' .. redis.call('GET', KEYS[4]) .. ':' .. redis.call('GET', KEYS[3])
local found = redis.call('SMISMEMBER', KEYS[2], stamp, ARGV[1], '*')
if found[1] == 0 then return stamp end
if found[2] == 1 or found[3] == 1 then return 'granted' end
return 'denied'
"""

# KEYS: codes, the user's epoch, the global epoch. ARGV: seconds to keep, stamp, codes.
_FILL = """
local stamp = '@' .. (redis.call('GET', KEYS[3]) or '') .. ':' .. (redis.call('GET', KEYS[2]) or '')
if stamp ~= ARGV[2] or string.find(stamp, '!', 1, true) then return 0 end
redis.call('DEL', KEYS[1])
for first = 2, #ARGV, 1000 do
  redis.call('SADD', KEYS[1], unpack(ARGV, first, math.min(first + 999, #ARGV)))
end
redis.call('EXPIRE', KEYS[1], ARGV[1])
return 1
"""


# KEYS: epoch. ARGV: the mark of the change, a fresh epoch.
_SETTLE = """
local epoch = redis.call('GET', KEYS[1])
if epoch and epoch ~= ARGV[1] and string.sub(epoch, 1, 1) == '!' then return end
redis.call('SET', KEYS[1], ARGV[2])
"""


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

    def __init__(self, redis: Redis) -> None:
        self.redis = redis

    @cached_property
    def _check(self) -> Any:
        return self.redis.register_script(_CHECK)

    @cached_property
    def _settle(self) -> Any:
        return self.redis.register_script(_SETTLE)

    @cached_property
    def _fill(self) -> Any:
        return self.redis.register_script(_FILL)

    async def check(self, user_id: UUID, session_id: str, code: str) -> Verdict | str:
        """One round trip: is the session alive and the code granted? A stamp means: fill first."""
        keys = [session_key(user_id, session_id), _codes_key(user_id), _epoch_key(user_id), _GLOBAL_EPOCH]
        answer: str = await self._check(keys=keys, args=[code, _fresh_epoch(), _fresh_epoch()])
        return answer if answer.startswith("@") else Verdict(answer)

    async def fill(self, user_id: UUID, stamp: str, codes: Collection[str], seconds: int) -> bool:
        """Store the codes, unless the epochs have moved since the stamp was handed out."""
        keys = [_codes_key(user_id), _epoch_key(user_id), _GLOBAL_EPOCH]
        return bool(await self._fill(keys=keys, args=[seconds, stamp, *codes]))

    async def unsettle(self, user_id: UUID | None = None) -> str:
        """A change for this user, or for everybody, is about to be committed; returns the mark to settle it by."""
        mark = f"!{_fresh_epoch()}"
        await self.redis.set(_epoch_of(user_id), mark, ex=UNSETTLED_SECONDS)
        return mark

    async def settle(self, mark: str, user_id: UUID | None = None) -> None:
        """The change is committed: what was cached before is no longer true, and what is read now may be cached.

        Another change that is being committed meanwhile keeps its mark.
        """
        await self._settle(keys=[_epoch_of(user_id)], args=[mark, _fresh_epoch()])


def _epoch_of(user_id: UUID | None) -> str:
    return _GLOBAL_EPOCH if user_id is None else _epoch_key(user_id)


def _fresh_epoch() -> str:
    return secrets.token_hex(8)
