"""Where sessions come from that were started with a provider: to find them when it tells of a logout, in Redis.

`auth:oidc:sessions:<hash>` is a sorted set of `<user>:<session>` by expiry, for each subject and for each session at a
provider. `auth:oidc:ended:<hash>` is the time of the last logout.
"""

import asyncio
import hashlib
import json
from dataclasses import dataclass
from uuid import UUID

from src.core.stores.redis_client import RedisClient

MAXIMUM_SESSIONS = 5000
ENDED_SECONDS = 1800
"""For how long a login that was under way during a logout is refused: longer than a login takes."""


@dataclass(frozen=True, slots=True)
class LoginOrigin:
    """What a session was started by: an ID token of a provider.

    Attributes:
        sid: The session at the provider; empty if it names none.
        issued_at: When the ID token was issued, in Unix seconds.
    """

    issuer: str
    subject: str
    sid: str = ""
    issued_at: int = 0


class LoginOriginCRUD:
    """Finds sessions by the subject, or by the session at the provider, that they come from."""

    def __init__(self, redis: RedisClient) -> None:
        self.redis = redis

    async def remember(self, origin: LoginOrigin, user_id: UUID, session_id: str, now: int, seconds: int) -> bool:
        """Note where a session comes from, for `seconds`; False if the provider has told of its end already."""
        for name in _names(origin.issuer, origin.subject, origin.sid):
            key = f"auth:oidc:sessions:{name}"
            await asyncio.gather(  # one round trip
                self.redis.zadd(key, {f"{user_id}:{session_id}": now + seconds}),
                self.redis.zremrangebyscore(key, "-inf", now),
                self.redis.zremrangebyrank(key, 0, -1 - MAXIMUM_SESSIONS),
                self.redis.expire(key, seconds),
            )
        ended = [
            await self.redis.get(f"auth:oidc:ended:{name}")
            for name in _names(origin.issuer, origin.subject, origin.sid)
        ]
        return not any(time is not None and origin.issued_at <= int(time) for time in ended)

    async def find(self, issuer: str, subject: str, sid: str = "") -> list[tuple[UUID, str]]:
        """The sessions, alive or not, of one session at the provider, or of a subject if `sid` is empty."""
        members = await self.redis.zrange(f"auth:oidc:sessions:{_name(issuer, subject, sid)}", 0, -1)
        return [
            (UUID(user_id), session_id) for user_id, _, session_id in (str(each).partition(":") for each in members)
        ]

    async def end(self, issuer: str, subject: str, sid: str, time: int) -> None:
        """Refuse logins that the provider's logout at this time has overtaken."""
        await self.redis.set(f"auth:oidc:ended:{_name(issuer, subject, sid)}", time, ex=ENDED_SECONDS)


def _names(issuer: str, subject: str, sid: str) -> list[str]:
    return [_name(issuer, subject, "")] + ([_name(issuer, "", sid)] if sid else [])


def _name(issuer: str, subject: str, sid: str) -> str:
    """One session at the provider if there is a `sid`, else a subject."""
    parts = [issuer, "sid", sid] if sid else [issuer, "sub", subject]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
