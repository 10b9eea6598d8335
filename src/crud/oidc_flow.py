"""Logins that are under way at a provider, in Redis: what was asked for, and what came of it; each is used once.

What a browser or a provider presents is stored as a hash, as part of the key.
"""

import hashlib
import secrets
from dataclasses import dataclass
from uuid import UUID

from pydantic import TypeAdapter

from src.core.stores.redis_client import RedisClient
from src.crud.login_origin import LoginOrigin

STATE_SECONDS = 600
CODE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class PendingLogin:
    """A login that was started.

    Attributes:
        verifier: The secret of PKCE.
        browser_hash: SHA-256 of what the cookie of the browser holds.
        challenge: S256 of the secret that the frontend has to know when it fetches the tokens; empty for none.
        user_id: Who links the identity to their account, in the session `session_id`; None for a login.
    """

    provider: str
    nonce: str
    verifier: str
    browser_hash: str
    challenge: str = ""
    user_id: UUID | None = None
    session_id: str = ""


@dataclass(frozen=True, slots=True)
class FinishedLogin:
    """A login whose tokens the frontend has not fetched yet.

    Attributes:
        factor_satisfied: Whether the provider has asked for a sufficient second factor.
        authenticated_at: When the person logged in at the provider, in Unix seconds; None if it does not say.
    """

    user_id: UUID
    origin: LoginOrigin
    factor_satisfied: bool
    challenge: str
    authenticated_at: int | None = None


_PENDING = TypeAdapter(PendingLogin)
_FINISHED = TypeAdapter(FinishedLogin)


class OidcFlowCRUD:
    """Keeps logins by their state, and by the code that the frontend gets."""

    def __init__(self, redis: RedisClient) -> None:
        self.redis = redis

    async def keep(self, state: str, login: PendingLogin) -> None:
        """Keep a login that was started, for ten minutes."""
        await self.redis.set_json(_key("state", state), login, _PENDING, seconds=STATE_SECONDS)

    async def take(self, state: str) -> PendingLogin | None:
        """The login with this state, which nobody gets a second time; None if there is none."""
        found = await self.redis.getdel(_key("state", state))
        return None if found is None else _PENDING.validate_json(found)

    async def keep_finished(self, login: FinishedLogin) -> str:
        """Keep a finished login for a minute; returns the code for it."""
        code = secrets.token_urlsafe(32)
        await self.redis.set_json(_key("code", code), login, _FINISHED, seconds=CODE_SECONDS)
        return code

    async def take_finished(self, code: str) -> FinishedLogin | None:
        """The login with this code, which nobody gets a second time; None if there is none."""
        found = await self.redis.getdel(_key("code", code))
        return None if found is None else _FINISHED.validate_json(found)

    async def is_used(self, token_id: str) -> bool:
        """Whether a logout token was used before."""
        return bool(await self.redis.exists(_key("logout", token_id)))

    async def use(self, token_id: str, seconds: int) -> None:
        """Remember a logout token for as long as it could be sent again."""
        await self.redis.set(_key("logout", token_id), "1", ex=seconds)


def _key(kind: str, secret: str) -> str:
    return f"auth:oidc:{kind}:{hashlib.sha256(secret.encode(errors='surrogatepass')).hexdigest()}"
