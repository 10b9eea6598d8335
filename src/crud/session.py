"""Login sessions in Redis.

A session is the hash `auth:session:{user}:<id>`. Its current refresh token is `auth:refresh:{user}:<jti>`, which stores
only hashes. The braces are literal: in Redis Cluster, all keys of one user share a slot.
"""

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from src.core.stores.redis_client import RedisClient
from src.crud.session_scripts import END, ROTATE, START


class Rotation(StrEnum):
    """The outcome of a refresh."""

    ROTATED = "rotated"
    REPEATED = "repeated"
    REUSED = "reused"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """A refresh token as Redis stores it; times in Unix seconds."""

    jti: str
    hash: str
    issued_at: int
    expires_at: int


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
        self, user_id: UUID, session_id: str, token: RefreshToken, *, user_agent: str, address: str
    ) -> None:
        """Store a session and its first refresh token; both expire with the token."""
        keys = [session_key(user_id, session_id), _refresh_key(user_id, token.jti), _index_key(user_id)]
        arguments = [
            token.jti,
            token.hash,
            digest(user_agent),
            token.issued_at,
            token.expires_at,
            session_id,
            user_agent[:256],
            address,
        ]
        await START.run(self.redis, keys, arguments)

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
    ) -> tuple[Rotation, RefreshToken | None]:
        """Exchange the presented token for its successor, atomically. Each token can be exchanged once.

        Returns:
            `ROTATED` and the successor. `REPEATED` and the successor of the first exchange (without its hash), if the
            previous token is presented again within the grace period. `REUSED` if the token was used before: the
            session has been ended. `REFUSED` for anything else.
        """
        keys = [
            session_key(user_id, session_id),
            _refresh_key(user_id, presented.jti),
            _refresh_key(user_id, successor.jti),
            _index_key(user_id),
        ]
        arguments = [
            presented.jti,
            presented.hash,
            digest(user_agent),
            now,
            grace_seconds,
            successor.jti,
            successor.hash,
            successor.issued_at,
            successor.expires_at,
            session_id,
        ]
        outcome, *rest = await ROTATE.run(self.redis, keys, arguments)
        rotation = Rotation(outcome)
        if rotation is Rotation.REPEATED:
            return rotation, RefreshToken(rest[0], "", int(rest[1]), int(rest[2]))
        return rotation, successor if rotation is Rotation.ROTATED else None

    async def alive(self, user_id: UUID, session_id: str) -> bool:
        """Whether the session exists, that is, has neither ended nor expired."""
        return bool(await self.redis.exists(session_key(user_id, session_id)))

    async def belongs_to(self, user_id: UUID, session_id: str, user_agent: str) -> bool:
        """Whether the session is alive and was started with this User-Agent."""
        stored: Any = await self.redis.hget(session_key(user_id, session_id), "user_agent_hash")
        return bool(stored == digest(user_agent))

    async def list(self, user_id: UUID, now: int) -> list[dict[str, Any]]:
        """The user's sessions that are alive, newest first, each with its `id`."""
        ids: list[str] = [str(key) for key in await self.redis.zrange(_index_key(user_id), now, "+inf", byscore=True)]
        sessions: list[dict[str, Any]] = []
        for session_id in ids:
            fields: dict[Any, Any] = await self.redis.hgetall(session_key(user_id, session_id))
            if fields:
                sessions.append({"id": session_id, **fields})
        return sorted(sessions, key=lambda session: int(session["created_at"]), reverse=True)

    async def end(self, user_id: UUID, session_id: str = "", *, spare: str = "") -> int:
        """End one session, or all of the user's sessions except `spare`; returns how many ended."""
        return int(await END.run(self.redis, [_index_key(user_id)], ["auth:", session_id, spare, f"{{{user_id}}}"]))
