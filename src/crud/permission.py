"""The permission cache: one Redis set per user, with the user's permission codes and the version they were read under.

A version is `@<global version>:<user version>`. A change of a role replaces the global version, a change of a user the
user's; a set with another version counts as missing. So a revocation is one write, however many users it concerns, and
an outdated set is never used. An API key has a set of its own: the codes of the key that its owner holds, under the
owner's version.

While a change is being committed, the version is a mark that begins with `!`: readers query SQL and cache nothing. If
the process dies at that point, the mark expires and the next reader creates a new version.
"""

import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from uuid import UUID

from src.core.stores.redis_client import RedisClient
from src.core.stores.redis_script import RedisScript
from src.crud.session import session_key

# An administrator's set holds only this code, which grants every permission.
ALL_CODES = "*"

# The only member of the set of an API key that has ended; no code looks like it.
_ENDED = "ended"

# The keys keep the name `epoch`: during a rolling deployment all processes must use the same ones.
_GLOBAL_VERSION = "auth:epoch"

# Longer than the transaction of any request.
INVALIDATION_SECONDS = 60

# Missing versions are created.
_VERSION = """
local versions = redis.call('MGET', global_version, user_version)
for index, key in ipairs({global_version, user_version}) do
  if not versions[index] then
    redis.call('SET', key, new_version)
    versions[index] = new_version
  end
end
local version = '@' .. versions[1] .. ':' .. versions[2]
"""

# Returns 'ended', 'granted', 'denied', or the version to store the codes under.
_CHECK = RedisScript(
    f"""
if redis.call('EXISTS', session) == 0 then return 'ended' end
{_VERSION}
local members = redis.call('SMISMEMBER', codes, version, code, '*')
if members[1] == 0 then return version end
if members[2] == 1 or members[3] == 1 then return 'granted' end
return 'denied'
""",
    keys="session codes user_version global_version",
    args="code new_version",
)

# The same for an API key, which is alive as long as its set says so.
_CHECK_KEY = RedisScript(
    f"""
{_VERSION}
local members = redis.call('SMISMEMBER', codes, version, code, '{_ENDED}')
if members[1] == 0 then return version end
if members[2] == 1 then return 'granted' end
if members[3] == 1 then return 'ended' end
return 'denied'
""",
    keys="codes user_version global_version",
    args="code new_version",
)

# The codes follow the named arguments; the version is stored as a member of the set.
_STORE = RedisScript(
    """
local current = '@' .. (redis.call('GET', global_version) or '') .. ':' .. (redis.call('GET', user_version) or '')
if current ~= version or string.find(current, '!', 1, true) then return 0 end
redis.call('DEL', codes)
for first = 3, #ARGV, 1000 do
  redis.call('SADD', codes, unpack(ARGV, first, math.min(first + 999, #ARGV)))
end
redis.call('EXPIRE', codes, seconds)
-- LT: whichever is sooner.
if expires_at ~= '' then redis.call('PEXPIREAT', codes, expires_at, 'LT') end
return 1
""",
    keys="codes user_version global_version",
    args="seconds expires_at version",
)

_COMMIT_INVALIDATION = RedisScript(
    """
local current = redis.call('GET', version)
if current and current ~= mark and string.sub(current, 1, 1) == '!' then return end
redis.call('SET', version, new_version)
""",
    keys="version",
    args="mark new_version",
)


class Verdict(Enum):
    """The result of a check against the cache."""

    ENDED = "ended"
    GRANTED = "granted"
    DENIED = "denied"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The verdict; if it is None, the codes are not cached: `store` them under `version`."""

    verdict: Verdict | None
    version: str = ""


def _codes_key(user_id: UUID, key_hash: str | None = None) -> str:
    return f"auth:permission:{{{user_id}}}" + (f":{key_hash}" if key_hash else "")


def _user_version_key(user_id: UUID) -> str:
    return f"auth:epoch:{{{user_id}}}"


class PermissionCRUD:
    """Checks, fills and invalidates the permission cache."""

    def __init__(self, redis: RedisClient) -> None:
        self.redis = redis

    async def check(self, user_id: UUID, session_id: str, code: str) -> CheckResult:
        """Check in one round trip that the session is alive and the code is granted."""
        result: str = await _CHECK.run(
            self.redis,
            session=session_key(user_id, session_id),
            codes=_codes_key(user_id),
            user_version=_user_version_key(user_id),
            global_version=_GLOBAL_VERSION,
            code=code,
            new_version=_new_version(),
        )
        return _as_result(result)

    async def check_key(self, user_id: UUID, key_hash: str, code: str) -> CheckResult:
        """Check in one round trip that the user's API key is alive, and that key and user hold the code."""
        result: str = await _CHECK_KEY.run(
            self.redis,
            codes=_codes_key(user_id, key_hash),
            user_version=_user_version_key(user_id),
            global_version=_GLOBAL_VERSION,
            code=code,
            new_version=_new_version(),
        )
        return _as_result(result)

    async def store(
        self,
        user_id: UUID,
        version: str,
        codes: Collection[str] | None,
        seconds: int,
        *,
        key_hash: str | None = None,
        expires_at: datetime | None = None,
    ) -> bool:
        """Cache the codes; does nothing and returns False if the version has changed since `check` returned it.

        With a `key_hash` they are those of an API key, None if it has ended, and are cached until it expires at most.
        """
        stored = await _STORE.run(
            self.redis,
            *([_ENDED] if codes is None else codes),
            codes=_codes_key(user_id, key_hash),
            user_version=_user_version_key(user_id),
            global_version=_GLOBAL_VERSION,
            seconds=seconds,
            expires_at="" if expires_at is None else int(expires_at.timestamp() * 1000),
            version=version,
        )
        return bool(stored)

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
        await _COMMIT_INVALIDATION.run(self.redis, version=_version_key(user_id), mark=mark, new_version=_new_version())


def _as_result(result: str) -> CheckResult:
    return CheckResult(None, result) if result.startswith("@") else CheckResult(Verdict(result))


def _version_key(user_id: UUID | None) -> str:
    return _GLOBAL_VERSION if user_id is None else _user_version_key(user_id)


def _new_version() -> str:
    return secrets.token_hex(8)
