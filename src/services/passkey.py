import asyncio
import base64
import binascii
from collections.abc import Sequence
from importlib import import_module
from types import ModuleType
from typing import Any
from uuid import UUID

from src.core.resources import Resources
from src.core.unit_of_work import UnitOfWork
from src.crud.user_factor import UserFactorCRUD
from src.models.user import User
from src.models.user_factor import FactorKind, UserFactor
from src.services.challenge import ChallengeService

CHALLENGE_SECONDS = 300


class PasskeyService:
    """Makes and verifies passkeys. Each challenge is single-use, and bound to the purpose that it was made for."""

    def __init__(self, uow: UnitOfWork, resources: Resources) -> None:
        self.resources = resources
        self.rp_id = resources.settings.rp_id
        self.factors = UserFactorCRUD(uow.session)

    async def creation_options(self, user: User, purpose: str) -> dict[str, Any]:
        """What a browser needs to make a passkey for the user."""
        existing = _known(await self.factors.of_user(user.id, FactorKind.PASSKEY))
        site, challenge = (self.rp_id, self.resources.settings.app.name), self._issue(purpose)
        person = user.id.bytes, user.username
        options: dict[str, Any] = (await _library()).creation_options(*site, *person, challenge, existing)
        return options

    async def request_options(self, purpose: str, passkeys: Sequence[UserFactor] = ()) -> dict[str, Any]:
        """What a browser needs to use one of these passkeys, or any of the site."""
        challenge = self._issue(purpose)
        options: dict[str, Any] = (await _library()).request_options(self.rp_id, challenge, _known(passkeys))
        return options

    async def verify_new(self, credential: dict[str, Any], purpose: str) -> dict[str, Any] | None:
        """The fields of a passkey that was made for this purpose; None if anything is wrong."""
        allows = self.resources.settings.factors.allows_origin
        new = (await _library()).verify_new(credential, self.rp_id, allows)
        if new is None or not await self._redeem(new.challenge, purpose):
            return None
        names = "credential_id", "public_key", "sign_count", "transports"
        return {name: getattr(new, name) for name in names}

    async def verify(self, credential: dict[str, Any], purpose: str, user_id: UUID | None = None) -> UserFactor | None:
        """The passkey that was used for this purpose; None if anything is wrong, or it is not this user's."""
        passkey = await self.factors.find_passkey(_credential_id(credential))
        if passkey is None or passkey.public_key is None or user_id not in (None, passkey.user_id):
            return None
        site = self.rp_id, self.resources.settings.factors.allows_origin
        known = passkey.public_key, passkey.sign_count
        use = (await _library()).verify_use(credential, *site, *known)
        # Without a username, the authenticator has to name the user.
        handles = (passkey.user_id.bytes,) if user_id is None else (passkey.user_id.bytes, None)
        if use is None or use.user_handle not in handles or not await self._redeem(use.challenge, purpose):
            return None
        return passkey if await self.factors.accept_sign_count(passkey.id, use.sign_count) else None

    def _challenges(self, purpose: str) -> ChallengeService:
        auth, redis = self.resources.settings.auth, self.resources.redis
        return ChallengeService(auth, redis, purpose=f"passkey:{purpose}", lifetime_seconds=CHALLENGE_SECONDS)

    def _issue(self, purpose: str) -> str:
        return self._challenges(purpose).issue(self.resources.tokens.now())

    async def _redeem(self, challenge: str, purpose: str) -> bool:
        return await self._challenges(purpose).redeem(challenge, self.resources.tokens.now())


async def _library() -> ModuleType:
    """What wraps the library; imported by the first use, in a thread, since that takes long."""
    return await asyncio.to_thread(import_module, "src.core.security.passkeys")


def _known(passkeys: Sequence[UserFactor]) -> list[tuple[bytes | None, list[str]]]:
    return [(passkey.credential_id, passkey.transports) for passkey in passkeys]


def _credential_id(credential: dict[str, Any]) -> bytes:
    """The id in the response of a browser; empty if it has none."""
    raw = credential.get("rawId")
    try:
        return base64.urlsafe_b64decode(raw + "==") if isinstance(raw, str) else b""
    except (binascii.Error, ValueError):
        return b""
