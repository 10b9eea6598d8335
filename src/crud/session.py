"""Login sessions in Redis.

A session is `auth:session:{user}:<id>`; the one refresh token that may continue it is `auth:refresh:{user}:<jti>`,
where only hashes are kept. The braces are literal: one user's keys share a slot in Redis Cluster.
"""

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from redis.asyncio import Redis

from src.core.stores.redis_batch import RedisBatch
from src.crud.session_scripts import END, ROTATE, START


class Rotation(StrEnum):
    """What became of a refresh."""

    ROTATED = "rotated"
    REPEATED = "repeated"
    REUSED = "reused"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """What identifies one refresh token; times in Unix seconds."""

    jti: str
    hash: str
    issued_at: int
    expires_at: int


def digest(value: str) -> str:
    """SHA-256, in hex."""
    return hashlib.sha256(value.encode(errors="surrogatepass")).hexdigest()


def session_key(user_id: UUID, session_id: str) -> str:
    """The Redis key whose existence means that the session lives."""
    return f"auth:session:{{{user_id}}}:{session_id}"


def _refresh_key(user_id: UUID, jti: str) -> str:
    return f"auth:refresh:{{{user_id}}}:{jti}"


def _index_key(user_id: UUID) -> str:
    return f"auth:sessions:{{{user_id}}}"


class SessionCRUD:
    """Starts, continues, lists and ends login sessions."""

    def __init__(self, redis: Redis, batch: RedisBatch | None = None) -> None:
        self.redis = redis
        self._together = batch or redis

    async def start(
        self, user_id: UUID, session_id: str, token: RefreshToken, *, user_agent: str, address: str
    ) -> None:
        """Store a session and its first refresh token, both until the token expires."""
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
        await START.run(self._together, keys, arguments)

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
        """Exchange the presented token for its successor, once and atomically.

        Returns:
            `ROTATED` with the successor; `REPEATED` with the successor of the first exchange (without its hash), inside
            the grace; `REUSED` after ending the session, when a spent token is shown; else `REFUSED`.
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
        """Whether the session has neither ended nor expired."""
        return bool(await self._together.execute_command("EXISTS", session_key(user_id, session_id)))

    async def belongs_to(self, user_id: UUID, session_id: str, user_agent: str) -> bool:
        """Whether the session lives and was started by a client of this User-Agent."""
        stored: Any = await self.redis.hget(session_key(user_id, session_id), "user_agent_hash")
        return bool(stored == digest(user_agent))

    async def list(self, user_id: UUID, now: int) -> list[dict[str, Any]]:
        """The user's live sessions, newest first, each with its `id`."""
        ids: list[str] = [str(key) for key in await self.redis.zrange(_index_key(user_id), now, "+inf", byscore=True)]
        sessions: list[dict[str, Any]] = []
        for session_id in ids:
            fields: dict[Any, Any] = await self.redis.hgetall(session_key(user_id, session_id))
            if fields:
                sessions.append({"id": session_id, **fields})
        return sorted(sessions, key=lambda session: int(session["created_at"]), reverse=True)

    async def end(self, user_id: UUID, session_id: str = "", *, spare: str = "") -> int:
        """End one session, or all of the user's but `spare`; returns how many there were."""
        return int(await END.run(self.redis, [_index_key(user_id)], ["auth:", session_id, spare, f"{{{user_id}}}"]))
