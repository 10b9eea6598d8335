import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

import structlog

from src.core.exceptions import BadRequestError, UnauthorizedError
from src.core.resources import Resources
from src.core.security.audit import AuditEntry
from src.core.security.token import AccessClaims
from src.core.unit_of_work import UnitOfWork
from src.crud.login import LoginCRUD
from src.crud.user import UserCRUD
from src.services.challenge import ChallengeService
from src.services.password import PasswordService
from src.services.permission import PermissionService
from src.services.session import Client, SessionService, TokenPair
from src.utils.password import dummy_hash
from src.utils.text import is_storable

log = structlog.get_logger(__name__)

Verify = Callable[[str], Awaitable[str | None]]
"""Checks a password against a hash: None unless it fits, then a hash to store instead of an old one, or nothing."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """What a client encrypts its password with, and for how many seconds the challenge serves."""

    kid: str
    public_key: str
    challenge: str
    expires_in: int


class AuthService:
    """Lets users in who prove that they know their password, and lets them change it."""

    def __init__(self, uow: UnitOfWork, resources: Resources, client: Client) -> None:
        self.uow = uow
        self.resources = resources
        self.client = client
        self.users = UserCRUD(uow.session)
        self.sessions = SessionService(resources)
        self.passwords = PasswordService(resources)
        self.challenges = ChallengeService(resources.settings.auth, resources.redis)

    def public_key(self) -> PublicKey:
        """The present public key, with a fresh challenge."""
        credentials = self.resources.credentials
        challenge = self.challenges.issue(int(time.time()))
        return PublicKey(credentials.kid, credentials.public_pem, challenge, self.challenges.lifetime_seconds)

    async def login(self, username: str, ciphertext: str, kid: str, entry: AuditEntry) -> TokenPair:
        """Start a session for the right password, encrypted with a challenge that was never used.

        Raises:
            UnauthorizedError: Whatever is wrong: the answer, and the time that it takes, are the same.
            TooManyRequestsError: Too many failures of this account or from this address.
        """
        await self.resources.throttle.admit(username, self.client.address)
        return await self._login(username, partial(self.passwords.verify, ciphertext, kid), entry)

    async def login_with_password(self, username: str, password: str, entry: AuditEntry) -> TokenPair:
        """The same for a password that was sent as it is.

        Raises:
            UnauthorizedError: As for `login`.
            TooManyRequestsError: As for `login`.
        """
        await self.resources.throttle.admit(username, self.client.address)
        return await self._login(username, partial(self.passwords.verify_plain, password), entry)

    async def _login(self, username: str, verify: Verify, entry: AuditEntry) -> TokenPair:
        entry.record_anonymous = True
        # A connection of its own: hashing takes long, and must not keep one from others meanwhile.
        user = None
        if is_storable(username):
            async with self.resources.read_connection() as connection:
                user = await LoginCRUD(connection).find(username)
        if user is not None:
            entry.details["username"] = username  # a name that nobody has may be a password in the wrong field
        # It takes equally long without a user.
        replacement = await verify(dummy_hash() if user is None else user.password_hash)
        if user is None or replacement is None or not user.status:
            await self.resources.throttle.failed(self.client.address)
            log.info("login_failed", user_id=user and str(user.id), address=self.client.address)
            raise UnauthorizedError("Wrong username or password.", error="auth.invalid_credentials")
        if replacement:
            (await self.users.get(user.id)).password_hash = replacement
        entry.actor_id = user.id
        log.info("login", user_id=str(user.id), address=self.client.address)
        # Together, so that both leave in one round trip.
        _, pair = await asyncio.gather(
            self.resources.throttle.succeeded(username), self.sessions.start(user.id, self.client)
        )
        return pair

    async def change_password(self, claims: AccessClaims, old: str, new: str, kid: str) -> None:
        """Set a new password for oneself, and end one's other sessions.

        Raises:
            BadRequestError: The old password is wrong, or one of the two cannot be opened.
            InvalidInputError: The new password is too weak.
            TooManyRequestsError: Too many wrong tries.
        """
        user = await self.users.get(claims.user_id)
        await self.resources.throttle.admit(user.username, self.client.address)
        if await self.passwords.verify(old, kid, user.password_hash) is None:
            raise BadRequestError("The old password is wrong.", error="auth.wrong_password")
        await self.resources.throttle.succeeded(user.username)
        user.password_hash = await self.passwords.hash_new("newPassword", new, kid)
        user.must_change_password = False
        self.sessions.end_on_commit(self.uow, user.id, spare=claims.session_id)
        PermissionService(self.resources).invalidate_user(self.uow, user.id)
        log.info("password_changed", user_id=str(user.id), address=self.client.address)
