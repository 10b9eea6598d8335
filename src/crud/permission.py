"""The permission cache: one Redis set per user, with the user's permission codes and the version they were read under.

A version is `@<global version>:<user version>`. A change of a role replaces the global version, a change of a user the
user's; a set with another version counts as missing. So a revocation is one write, however many users it concerns, and
an outdated set is never used.

While a change is being committed, the version is a mark that begins with `!`: readers query SQL and cache nothing. If
the process dies at that point, the mark expires and the next reader creates a new version.
"""

import secrets
from collections.abc import Collection
from enum import Enum
from uuid import UUID

from src.core.stores.redis_client import RedisClient
from src.core.stores.redis_script import RedisScript
from src.crud.session import session_key

# An administrator's set holds only this code, which grants every permission.
ALL_CODES = "*"

# The keys keep the name `epoch`: during a rolling deployment all processes must use the same ones.
_GLOBAL_VERSION = "auth:epoch"

# Longer than the transaction of any request.
INVALIDATION_SECONDS = 60

# KEYS: session, codes, user version, global version. ARGV: code, a new version for each that is missing.
# Returns 'ended', 'granted', 'denied', or the version to store the codes under.
_CHECK = RedisScript("""
if redis.call('EXISTS', KEYS[1]) == 0 then return 'ended' end
local versions = redis.call('MGET', KEYS[4], KEYS[3])
for index, key in ipairs({KEYS[4], KEYS[3]}) do
  if not versions[index] then
    redis.call('SET', key, ARGV[2])
    versions[index] = ARGV[2]
  end
end
local version = '@' .. versions[1] .. ':' .. versions[2]
local members = redis.call('SMISMEMBER', KEYS[2], version, ARGV[1], '*')
if members[1] == 0 then return version end
if members[2] == 1 or members[3] == 1 then return 'granted' end
return 'denied'
""")

# KEYS: codes, user version, global version. ARGV: seconds to keep them, version, codes.
_STORE = RedisScript("""
local version = '@' .. (redis.call('GET', KEYS[3]) or '') .. ':' .. (redis.call('GET', KEYS[2]) or '')
if version ~= ARGV[2] or string.find(version, '!', 1, true) then return 0 end
redis.call('DEL', KEYS[1])
for first = 2, #ARGV, 1000 do
  redis.call('SADD', KEYS[1], unpack(ARGV, first, math.min(first + 999, #ARGV)))
end
redis.call('EXPIRE', KEYS[1], ARGV[1])
return 1
""")


# KEYS: version. ARGV: mark of the change, new version.
_COMMIT_INVALIDATION = RedisScript("""
local version = redis.call('GET', KEYS[1])
if version and version ~= ARGV[1] and string.sub(version, 1, 1) == '!' then return end
redis.call('SET', KEYS[1], ARGV[2])
""")


class Verdict(Enum):
    """The result of a check against the cache."""

    ENDED = "ended"
    GRANTED = "granted"
    DENIED = "denied"


def _codes_key(user_id: UUID) -> str:
    return f"auth:permission:{{{user_id}}}"


def _user_version_key(user_id: UUID) -> str:
    return f"auth:epoch:{{{user_id}}}"


class PermissionCRUD:
    """Checks, fills and invalidates the permission cache."""

    def __init__(self, redis: RedisClient) -> None:
        self.redis = redis

    async def check(self, user_id: UUID, session_id: str, code: str) -> Verdict | str:
        """Check in one round trip that the session is alive and the code is granted.

        Returns:
            The verdict; or, if the codes are not cached, the version to `store` them under.
        """
        keys = [session_key(user_id, session_id), _codes_key(user_id), _user_version_key(user_id), _GLOBAL_VERSION]
        result: str = await _CHECK.run(self.redis, keys, [code, _new_version()])
        return result if result.startswith("@") else Verdict(result)

    async def store(self, user_id: UUID, version: str, codes: Collection[str], seconds: int) -> bool:
        """Cache the codes; does nothing and returns False if the version has changed since `check` returned it."""
        keys = [_codes_key(user_id), _user_version_key(user_id), _GLOBAL_VERSION]
        return bool(await _STORE.run(self.redis, keys, [seconds, version, *codes]))

    async def begin_invalidation(self, user_id: UUID | None = None) -> str:
        """Call before committing a change of the user's permissions, or of everybody's (None).

        Returns:
            The mark to pass to `commit_invalidation`.
        """
        mark = f"!{_new_version()}"
        await self.redis.set(_version_key(user_id), mark, ex=INVALIDATION_SECONDS)
        return mark

    async def commit_invalidation(self, mark: str, user_id: UUID | None = None) -> None:
        """Call after the commit: everything cached before is invalid, and what is read from now on may be cached.

        If another change is being committed at the same time, its mark is kept.
        """
        await _COMMIT_INVALIDATION.run(self.redis, [_version_key(user_id)], [mark, _new_version()])


def _version_key(user_id: UUID | None) -> str:
    return _GLOBAL_VERSION if user_id is None else _user_version_key(user_id)


def _new_version() -> str:
    return secrets.token_hex(8)
