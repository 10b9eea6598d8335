import hashlib
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

from src.core.config.auth import AuthSettings
from src.core.exceptions import UnauthorizedError
from src.core.security.api_key import ApiKeyIdentity
from src.utils.jwt import InvalidTokenError, TokenCodec

# Verifying a signature is the most expensive step of a guarded request, and clients send the same token for 15 minutes.
# Verified claims are cached by the token's digest, oldest out first. Expiry is checked on every use, and whether the
# session is alive is asked of Redis every time.
_CACHE_SIZE = 4096
# How far the clock of the process that issued a token may be ahead. An access token lives longer by as much; a client
# whose access token is refused gets another. Refusing a refresh token ends its session, so more is allowed there: Redis
# knows each refresh token by its hash anyway.
ACCESS_SKEW_SECONDS = 60
REFRESH_SKEW_SECONDS = 2 * 3600


@dataclass(frozen=True, slots=True)
class AccessClaims:
    """The caller, from a verified access token or an API key; `expires_at` in Unix seconds.

    Attributes:
        session_id: The login session. Of a key: what names the key to `PermissionService`, and no session.
        api_key: The key; None for an access token. Whether it has expired is asked together with its permissions.
        authenticated_at: When the user last proved who they are, by the login or later; kept by refreshes. 0: unknown.
    """

    user_id: UUID
    session_id: str
    expires_at: int
    api_key: ApiKeyIdentity | None = None
    authenticated_at: int = 0


@dataclass(frozen=True, slots=True)
class RefreshClaims:
    """The contents of a verified refresh token; times in Unix seconds.

    Attributes:
        session_started_at: The time of the login.
    """

    user_id: UUID
    session_id: str
    jti: str
    session_started_at: int
    issued_at: int
    expires_at: int


ClaimsT = TypeVar("ClaimsT", AccessClaims, RefreshClaims)


class TokenIssuer:
    """Signs and verifies access and refresh tokens.

    Only `TokenIssuer` checks expiry, by its own clock: nothing else compares `expires_at` with the time.
    """

    def __init__(self, settings: AuthSettings, clock: Callable[[], float] = time.time) -> None:
        self.settings = settings
        self._clock = clock
        common: dict[str, Any] = {"issuer": settings.issuer, "audience": settings.audience}
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
        """The current time in whole Unix seconds."""
        return int(self._clock())

    def seconds_left(self, claims: AccessClaims | RefreshClaims) -> float:
        """The seconds until the token expires; zero or less once it has."""
        return claims.expires_at - self._clock()

    def is_recent(self, claims: AccessClaims, seconds: float) -> bool:
        """Whether the user proved who they are within the last `seconds`."""
        return self._clock() - claims.authenticated_at <= seconds

    def access(
        self,
        user_id: UUID,
        session_id: str,
        now: int,
        authenticated_at: int | None = None,
        *,
        acted_by: UUID | None = None,
    ) -> str:
        """A new access token, issued at `now`, of a user who proved who they are at `authenticated_at`, or just now.

        `acted_by` becomes the claim `act` of RFC 8693: somebody who acts as the user, and has not proved to be them.
        """
        proved_at = now if authenticated_at is None else authenticated_at
        claims: dict[str, Any] = {"sub": str(user_id), "sid": session_id, "jti": new_id()}
        if acted_by is not None:
            claims["act"], proved_at = {"sub": str(acted_by)}, 0
        times = {"iat": now, "nbf": now, "exp": now + self.settings.access_seconds, "auth_time": proved_at}
        return self._access.encode({**claims, **times})

    def refresh(self, claims: RefreshClaims) -> str:
        """A refresh token. The same claims give the same token, so a retried refresh gets the same response."""
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
            UnauthorizedError: It is invalid or has expired.
        """
        digest = hashlib.sha256(token.encode(errors="surrogatepass")).digest()
        claims = self._verified.get(digest)
        if claims is not None:
            return self._unexpired(claims)
        content = self._decode(self._access, token, ACCESS_SKEW_SECONDS)
        authenticated_at = _time(content.get("auth_time", 0))  # tokens of the version before have none
        user_id, session_id = _uuid(content["sub"]), _identifier(content["sid"])
        claims = AccessClaims(user_id, session_id, content["exp"], authenticated_at=authenticated_at)
        claims = self._unexpired(claims)
        if len(self._verified) >= _CACHE_SIZE:
            del self._verified[next(iter(self._verified))]
        self._verified[digest] = claims
        return claims

    def read_refresh(self, token: str) -> RefreshClaims:
        """Verify a refresh token.

        Raises:
            UnauthorizedError: It is invalid or has expired.
        """
        content = self._decode(self._refresh, token, REFRESH_SKEW_SECONDS)
        return self._unexpired(
            RefreshClaims(
                user_id=_uuid(content["sub"]),
                session_id=_identifier(content["sid"]),
                jti=_identifier(content["jti"]),
                session_started_at=content["auth_time"],
                issued_at=content["iat"],
                expires_at=content["exp"],
            )
        )

    def _decode(self, codec: TokenCodec, token: str, skew_seconds: int) -> dict[str, Any]:
        try:
            content = codec.decode(token)
        except InvalidTokenError as error:
            raise UnauthorizedError from error
        if max(content["iat"], content["nbf"]) > self._clock() + skew_seconds:
            raise UnauthorizedError
        return content

    def _unexpired(self, claims: ClaimsT) -> ClaimsT:
        if self.seconds_left(claims) <= 0:
            raise UnauthorizedError
        return claims


def new_id() -> str:
    """An unguessable id for a session or a token."""
    return secrets.token_urlsafe(18)


def _keys(*keys: Any) -> tuple[str, ...]:
    return tuple(key.get_secret_value() for key in keys if key is not None)


def _uuid(value: object) -> UUID:
    try:
        return UUID(str(value))
    except ValueError as error:
        raise UnauthorizedError from error


def _identifier(value: object) -> str:
    if not isinstance(value, str):
        raise UnauthorizedError
    return value


def _time(value: object) -> int:
    if not isinstance(value, int):
        raise UnauthorizedError
    return value
