import json
from dataclasses import replace
from typing import Any
from uuid import UUID

import structlog

from src.core.exceptions import ConflictError, ServiceUnavailableError, UnauthorizedError
from src.core.realtime.rooms import session_room, user_room
from src.core.resources import Resources
from src.core.security.acting import acting_session_id, impersonator_of, is_shown_id, shown_id
from src.core.security.throttle import device_id
from src.core.security.token import AccessClaims, RefreshClaims, new_id
from src.core.unit_of_work import UnitOfWork
from src.crud.session import RefreshToken, Rotation, SessionCRUD, digest
from src.schemas.session import ActingUser
from src.services.client_tokens import ClientInfo, TokenPair
from src.utils.device import device_name

log = structlog.get_logger(__name__)


class SessionService:
    """Login sessions: started by a login, extended by refreshes, ended by a logout or by expiry."""

    def __init__(self, resources: Resources) -> None:
        self.tokens = resources.tokens
        self.settings = resources.settings.auth
        self._timeout_seconds = resources.settings.redis.timeout_seconds
        self.sessions = SessionCRUD(resources.redis)
        self.events = resources.events

    async def start(self, user_id: UUID, client: ClientInfo, authenticated_at: int | None = None) -> TokenPair:
        """Start a session for a user who proved who they are at `authenticated_at`, or just now.

        Raises:
            ConflictError: The user has too many sessions.
        """
        now = self.tokens.now()
        claims = RefreshClaims(user_id, new_id(), new_id(), now, now, self._expiry(now, now))
        proved_at = now if authenticated_at is None else min(now, authenticated_at)
        pair = self._pair(claims, now, proved_at)
        token = replace(_stored(claims, pair.refresh_token), authenticated_at=proved_at)
        await self._store(claims, token, client)
        return pair

    async def start_acting(
        self, user_id: UUID, impersonator: AccessClaims, username: str, client: ClientInfo
    ) -> TokenPair:
        """Start a session in which the caller acts as the user, until the access token expires: there is no other.

        Args:
            user_id: The user to act as.
            impersonator: The caller.
            username: That of the caller, whom the user sees in their list of sessions.
            client: The caller's client.

        Raises:
            ConflictError: The user has too many sessions.
        """
        now = self.tokens.now()
        expires_at = now + self.settings.access_seconds
        claims = RefreshClaims(user_id, acting_session_id(impersonator), new_id(), now, now, expires_at)
        acted_by = json.dumps({"id": str(impersonator.user_id), "username": username})
        # Nobody has a refresh token with this id.
        await self._store(claims, RefreshToken(claims.jti, "", now, expires_at, now), client, acted_by)
        token = self.tokens.access(user_id, claims.session_id, now, acted_by=impersonator.user_id)
        return TokenPair(user_id, claims.session_id, token, "", self.settings.access_seconds, 0)

    async def _store(self, claims: RefreshClaims, token: RefreshToken, client: ClientInfo, acted_by: str = "") -> None:
        limit = self.settings.sessions_per_user
        started = await self.sessions.start(
            claims.user_id,
            claims.session_id,
            token,
            user_agent=client.user_agent,
            address=client.address,
            device=device_id(client.device),
            acted_by=acted_by,
            maximum=limit,
        )
        if not started:
            raise ConflictError(
                f"You have {limit} sessions, which is the limit: end some.",
                error="auth.too_many_sessions",
                data={"limit": limit},
            )

    async def refresh(self, uow: UnitOfWork, old: RefreshClaims, token: str, client: ClientInfo) -> TokenPair:
        """Exchange a verified refresh token for the next token pair; each token can be exchanged once.

        The same token yields the same pair again until the unit of work has committed, and for a few seconds after it,
        so that a client that got no response can retry.

        Raises:
            UnauthorizedError: The token was used before (which ends its session), has expired, or is another client's.
            ServiceUnavailableError: Redis was too slow; the token can still be exchanged.
        """
        now = self.tokens.now()
        new = self._successor(old, new_id(), now, self._expiry(now, old.session_started_at))
        rotation, stored = await self.sessions.rotate(
            old.user_id,
            old.session_id,
            _stored(old, token),
            _stored(new, self.tokens.refresh(new)),
            user_agent=client.user_agent,
            now=now,
            grace_seconds=self.settings.refresh_grace_seconds,
            timeout_seconds=self._timeout_seconds,
        )
        if rotation is Rotation.LATE:
            raise ServiceUnavailableError(store="redis") from TimeoutError("Redis ran the exchange too late.")
        if stored is None:
            if rotation is Rotation.REUSED:
                await self.events.disconnect(session_room(old.session_id))
            log.warning("refresh_failed", user_id=str(old.user_id), reason=rotation.value, address=client.address)
            raise UnauthorizedError
        if rotation is Rotation.REPEATED:
            new = self._successor(old, stored.jti, stored.issued_at, stored.expires_at)
        uow.after_commit("grace period", lambda: self.sessions.confirm(new.user_id, new.session_id, new.jti, now))
        return self._pair(new, now, stored.authenticated_at)

    async def prove(self, claims: AccessClaims) -> str:
        """A new access token for a user who has just proved again who they are; the refresh token stays as it is.

        Raises:
            UnauthorizedError: The session has ended.
        """
        now = self.tokens.now()
        if not await self.sessions.prove(claims.user_id, claims.session_id, now):
            raise UnauthorizedError
        return self.tokens.access(claims.user_id, claims.session_id, now)

    async def require(self, claims: AccessClaims) -> None:
        """Check that the session is alive.

        Raises:
            UnauthorizedError: It has ended.
        """
        if not await self.sessions.alive(claims.user_id, claims.session_id):
            raise UnauthorizedError

    async def acted_by(self, claims: AccessClaims) -> ActingUser | None:
        """Who acts as the user in this session; None if nobody does, and then nothing is asked of Redis."""
        if impersonator_of(claims.session_id) is None:
            return None
        stored = await self.sessions.acted_by(claims.user_id, claims.session_id)
        return ActingUser.model_validate_json(stored) if stored else None

    async def require_client(self, claims: RefreshClaims, client: ClientInfo) -> None:
        """Check that the session is alive, and was started by this client.

        Raises:
            UnauthorizedError: It has ended, or was started by another client.
        """
        if not await self.sessions.belongs_to(claims.user_id, claims.session_id, client.user_agent):
            raise UnauthorizedError

    async def list(self, user_id: UUID) -> list[dict[str, Any]]:
        """The user's sessions that are alive, newest first, with the fields of `SessionResponse`.

        Of those in which somebody acts as the user, the client is not the user's: it is not shown.
        """
        return [
            {
                **row,
                **({"user_agent": "", "address": ""} if row.get("acted_by") else {}),
                "id": shown_id(row["id"]),
                "device_name": "" if row.get("acted_by") else device_name(row["user_agent"]),
                "device_id": row.get("device", "").removeprefix("device:") or None,
                "last_used_at": row["issued_at"],
                "acted_by": json.loads(row.get("acted_by") or "null"),
            }
            for row in await self.sessions.list(user_id, self.tokens.now())
        ]

    async def end_one(self, user_id: UUID, session_id: str) -> bool:
        """End one session, which invalidates its access and refresh tokens; False if it did not exist."""
        if is_shown_id(session_id):
            rows = await self.sessions.list(user_id, self.tokens.now())
            session_id = next((row["id"] for row in rows if shown_id(row["id"]) == session_id), session_id)
        ended = await self.sessions.end_one(user_id, session_id)
        if ended:
            await self.events.disconnect(session_room(session_id))
        log.info("session_ended", user_id=str(user_id))
        return ended

    async def end_all(self, user_id: UUID, *, except_session: str | None = None) -> int:
        """End the user's sessions, and return their number."""
        ended = await self.sessions.end_all(user_id, except_session)
        except_room = session_room(except_session) if except_session else None
        await self.events.disconnect(user_room(user_id), except_room=except_room)
        log.info("sessions_ended", user_id=str(user_id), count=ended)
        return ended

    def end_on_commit(self, uow: UnitOfWork, user_id: UUID, *, except_session: str | None = None) -> None:
        """End the user's sessions before the transaction commits, and after it those started in between."""

        async def end() -> None:
            await self.end_all(user_id, except_session=except_session)

        uow.before_commit(end)
        uow.after_commit("end sessions", end)

    def _successor(self, old: RefreshClaims, jti: str, issued_at: int, expires_at: int) -> RefreshClaims:
        return RefreshClaims(old.user_id, old.session_id, jti, old.session_started_at, issued_at, expires_at)

    def _expiry(self, now: int, started_at: int) -> int:
        return min(now + self.settings.session_idle_seconds, started_at + self.settings.session_absolute_seconds)

    def _pair(self, claims: RefreshClaims, now: int, authenticated_at: int) -> TokenPair:
        return TokenPair(
            user_id=claims.user_id,
            session_id=claims.session_id,
            access_token=self.tokens.access(claims.user_id, claims.session_id, now, authenticated_at),
            refresh_token=self.tokens.refresh(claims),
            expires_in=self.settings.access_seconds,
            refresh_expires_in=claims.expires_at - now,
        )


def _stored(claims: RefreshClaims, token: str) -> RefreshToken:
    return RefreshToken(claims.jti, digest(token), claims.issued_at, claims.expires_at)
