"""Login sessions in Redis.

A session is the hash `auth:session:{user}:<id>`. Its current refresh token is `auth:refresh:{user}:<jti>`, which stores
only hashes. The braces are literal: in Redis Cluster, all keys of one user share a slot.
"""

import hashlib
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any
from uuid import UUID

from src.core.stores.redis_client import RedisClient
from src.crud.session_scripts import CONFIRM, END, PROVE, ROTATE, START


class Rotation(StrEnum):
    """The outcome of a refresh."""

    ROTATED = "rotated"
    REPEATED = "repeated"
    REUSED = "reused"
    REFUSED = "refused"
    LATE = "late"


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """A refresh token as Redis stores it; times in Unix seconds.

    Attributes:
        authenticated_at: When the user of its session last proved who they are, for `start` and from `rotate`.
    """

    jti: str
    hash: str
    issued_at: int
    expires_at: int
    authenticated_at: int = 0


def digest(value: str) -> str:
    """The SHA-256 of a string, in hexadecimal."""
    return hashlib.sha256(value.encode(errors="surrogatepass")).hexdigest()


def session_key(user_id: UUID, session_id: str) -> str:
    """The Redis key of a session; the session is alive as long as the key exists."""
    return f"auth:session:{{{user_id}}}:{session_id}"


def _refresh_key(user_id: UUID, jti: str) -> str:
    return f"auth:refresh:{{{user_id}}}:{jti}"


def _index_key(user_id: UUID) -> str:
    return f"auth:sessions:{{{user_id}}}"


class SessionCRUD:
    """Starts, refreshes, lists and ends login sessions."""

    def __init__(self, redis: RedisClient) -> None:
        self.redis = redis

    async def start(
        self,
        user_id: UUID,
        session_id: str,
        token: RefreshToken,
        *,
        user_agent: str,
        address: str,
        device: str,
        maximum: int,
        acted_by: str = "",
    ) -> bool:
        """Store a session and its first refresh token; both expire with the token. False if there are `maximum`."""
        started = await START.run(
            self.redis,
            session=session_key(user_id, session_id),
            token=_refresh_key(user_id, token.jti),
            index=_index_key(user_id),
            session_id=session_id,
            jti=token.jti,
            token_hash=token.hash,
            issued_at=token.issued_at,
            expires_at=token.expires_at,
            authenticated_at=token.authenticated_at,
            user_agent_hash=digest(user_agent),
            user_agent=user_agent[:256],
            address=address,
            device=device,
            acted_by=acted_by,
            maximum=maximum,
        )
        return bool(started)

    async def rotate(
        self,
        user_id: UUID,
        session_id: str,
        presented: RefreshToken,
        successor: RefreshToken,
        *,
        user_agent: str,
        now: int,
        grace_seconds: int,
        timeout_seconds: float,
    ) -> tuple[Rotation, RefreshToken | None]:
        """Exchange the presented token for its successor, atomically. Each token can be exchanged once.

        The previous token yields the successor again until `confirm`, and during the grace period after it.

        Returns:
            `ROTATED` and the successor. `REPEATED` and the successor of the first exchange (without its hash), if the
            previous token is presented again in time. `REUSED` if the token was used before: the session has been
            ended. `LATE` if Redis did not get to it within `timeout_seconds`: nothing has changed. `REFUSED` for
            anything else.
        """
        seconds, microseconds = await self.redis.time()
        outcome, *rest = await ROTATE.run(
            self.redis,
            session=session_key(user_id, session_id),
            presented=_refresh_key(user_id, presented.jti),
            successor=_refresh_key(user_id, successor.jti),
            index=_index_key(user_id),
            session_id=session_id,
            user_agent_hash=digest(user_agent),
            now=now,
            grace_seconds=grace_seconds,
            deadline=seconds + microseconds / 1_000_000 + timeout_seconds,
            jti=presented.jti,
            token_hash=presented.hash,
            new_jti=successor.jti,
            new_hash=successor.hash,
            new_issued_at=successor.issued_at,
            new_expires_at=successor.expires_at,
        )
        rotation = Rotation(outcome)
        if rotation is Rotation.REPEATED:
            return rotation, RefreshToken(rest[1], "", int(rest[2]), int(rest[3]), int(rest[0]))
        if rotation is Rotation.ROTATED:
            return rotation, replace(successor, authenticated_at=int(rest[0]))
        return rotation, None

    async def confirm(self, user_id: UUID, session_id: str, jti: str, now: int) -> None:
        """Begin the grace period of the token before `jti`, whose response is about to be sent."""
        await CONFIRM.run(self.redis, session=session_key(user_id, session_id), jti=jti, now=now)

    async def prove(self, user_id: UUID, session_id: str, now: int) -> bool:
        """Note that the user has just proved who they are; returns whether the session is alive."""
        return bool(await PROVE.run(self.redis, session=session_key(user_id, session_id), now=now))

    async def alive(self, user_id: UUID, session_id: str) -> bool:
        """Whether the session exists, that is, has neither ended nor expired."""
        return bool(await self.redis.exists(session_key(user_id, session_id)))

    async def belongs_to(self, user_id: UUID, session_id: str, user_agent: str) -> bool:
        """Whether the session is alive and was started with this User-Agent."""
        stored: Any = await self.redis.hget(session_key(user_id, session_id), "user_agent_hash")
        return bool(stored == digest(user_agent))

    async def acted_by(self, user_id: UUID, session_id: str) -> str:
        """Who acts as the user in this session, as `start` was told; empty if nobody does."""
        return str(await self.redis.hget(session_key(user_id, session_id), "acted_by") or "")

    async def list(self, user_id: UUID, now: int) -> list[dict[str, Any]]:
        """The user's sessions that are alive, newest first, each with its `id`."""
        ids: list[str] = [str(key) for key in await self.redis.zrange(_index_key(user_id), now, "+inf", byscore=True)]
        sessions: list[dict[str, Any]] = []
        for session_id in ids:
            fields: dict[Any, Any] = await self.redis.hgetall(session_key(user_id, session_id))
            if fields:
                sessions.append({"id": session_id, **fields})
        return sorted(sessions, key=lambda session: int(session["created_at"]), reverse=True)

    async def end_one(self, user_id: UUID, session_id: str) -> bool:
        """End one session; returns whether it was alive."""
        return await self._end(user_id, "only", session_id) > 0

    async def end_all(self, user_id: UUID, except_session: str | None = None) -> int:
        """End the user's sessions, and return how many were alive."""
        return await self._end(user_id, "except", except_session or "")

    async def _end(self, user_id: UUID, mode: str, session_id: str) -> int:
        ended = await END.run(
            self.redis,
            index=_index_key(user_id),
            mode=mode,
            session_id=session_id,
            session_prefix=session_key(user_id, ""),
            token_prefix=_refresh_key(user_id, ""),
        )
        return int(ended)
