import hashlib
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from src.core.config.auth import AuthSettings
from src.core.exceptions import UnauthorizedError
from src.utils.jwt import InvalidTokenError, TokenCodec

# Verifying is the dearest part of a guarded request in our own code, and a client sends the same token for a quarter of
# an hour. The oldest are forgotten first. Only what never changes is remembered, under a digest, and by the keys of
# this process: time is looked at on every use, and whether the session still lives is Redis' answer as before.
_REMEMBERED = 4096


@dataclass(frozen=True, slots=True)
class AccessClaims:
    """Who is calling, by a verified access token; `expires_at` in Unix seconds."""

    user_id: UUID
    session_id: str
    expires_at: int


@dataclass(frozen=True, slots=True)
class RefreshClaims:
    """What a verified refresh token says; times in Unix seconds, `session_started_at` of the login itself."""

    user_id: UUID
    session_id: str
    jti: str
    session_started_at: int
    issued_at: int
    expires_at: int


class TokenIssuer:
    """Signs and reads the two kinds of tokens, and tells the time that they and their sessions go by."""

    def __init__(self, settings: AuthSettings, clock: Callable[[], float] = time.time) -> None:
        self.settings = settings
        self._clock = clock
        common: dict[str, Any] = {"issuer": settings.issuer, "audience": settings.audience, "clock": clock}
        self._access = TokenCodec(
            typ="at+jwt",
            keys=_keys(settings.access_token_key, settings.access_token_previous_key),
            claims=("sub", "sid", "jti", "iat", "nbf", "exp"),
            maximum_seconds=settings.access_seconds,
            **common,
        )
        self._refresh = TokenCodec(
            typ="rt+jwt",
            keys=_keys(settings.refresh_token_key, settings.refresh_token_previous_key),
            claims=("sub", "sid", "jti", "auth_time", "iat", "nbf", "exp"),
            maximum_seconds=settings.session_idle_seconds,
            **common,
        )
        self._verified: dict[bytes, AccessClaims] = {}

    def now(self) -> int:
        """The present, in whole Unix seconds."""
        return int(self._clock())

    def access(self, user_id: UUID, session_id: str, now: int) -> str:
        """A short-lived access token."""
        times = {"iat": now, "nbf": now, "exp": now + self.settings.access_seconds}
        return self._access.encode({"sub": str(user_id), "sid": session_id, "jti": new_id(), **times})

    def refresh(self, claims: RefreshClaims) -> str:
        """A refresh token; equal claims give an equal token, so a retried refresh can be answered again."""
        return self._refresh.encode(
            {
                "sub": str(claims.user_id),
                "sid": claims.session_id,
                "jti": claims.jti,
                "auth_time": claims.session_started_at,
                "iat": claims.issued_at,
                "nbf": claims.issued_at,
                "exp": claims.expires_at,
            }
        )

    def read_access(self, token: str) -> AccessClaims:
        """Verify an access token.

        Raises:
            UnauthorizedError: It is not valid.
        """
        digest = hashlib.sha256(token.encode(errors="surrogatepass")).digest()
        known = self._verified.get(digest)
        if known is not None and known.expires_at > self._clock():
            return known
        content = _decode(self._access, token)
        claims = AccessClaims(_uuid(content["sub"]), _identifier(content["sid"]), content["exp"])
        if len(self._verified) >= _REMEMBERED:
            del self._verified[next(iter(self._verified))]
        self._verified[digest] = claims
        return claims

    def read_refresh(self, token: str) -> RefreshClaims:
        """Verify a refresh token.

        Raises:
            UnauthorizedError: It is not valid.
        """
        claims = _decode(self._refresh, token)
        return RefreshClaims(
            user_id=_uuid(claims["sub"]),
            session_id=_identifier(claims["sid"]),
            jti=_identifier(claims["jti"]),
            session_started_at=claims["auth_time"],
            issued_at=claims["iat"],
            expires_at=claims["exp"],
        )


def new_id() -> str:
    """A name for a session or a token that nobody can guess."""
    return secrets.token_urlsafe(18)


def _keys(*keys: Any) -> tuple[str, ...]:
    return tuple(key.get_secret_value() for key in keys if key is not None)


def _decode(codec: TokenCodec, token: str) -> dict[str, Any]:
    try:
        return codec.decode(token)
    except InvalidTokenError as error:
        raise UnauthorizedError from error


def _uuid(value: object) -> UUID:
    try:
        return UUID(str(value))
    except ValueError as error:
        raise UnauthorizedError from error


def _identifier(value: object) -> str:
    if not isinstance(value, str):
        raise UnauthorizedError
    return value
