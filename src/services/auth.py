import time
from collections.abc import Awaitable, Callable
from functools import partial

import structlog

from src.core.exceptions import BadRequestError, UnauthorizedError
from src.core.resources import Resources
from src.core.security.audit import AuditEntry
from src.core.security.token import AccessClaims
from src.core.unit_of_work import UnitOfWork
from src.crud.login import LoginCRUD, LoginUser
from src.crud.user import UserCRUD
from src.models.user import User
from src.schemas.auth import PublicKeyResponse
from src.services.challenge import ChallengeService
from src.services.client_tokens import ClientInfo, TokenPair
from src.services.sign_in import FactorRequiredError, SignInService
from src.services.user import UserService
from src.utils.password import dummy_hash
from src.utils.text import is_storable
from src.utils.username import canonical_username

log = structlog.get_logger(__name__)

Verify = Callable[[str], Awaitable[str | None]]
"""Verifies a password against a hash, with the result of `PasswordService.verify`."""


class AuthService:
    """Login with a password, and change of the own password."""

    def __init__(self, uow: UnitOfWork, resources: Resources, client: ClientInfo) -> None:
        self.uow = uow
        self.resources = resources
        self.client = client
        self.throttle = resources.throttle
        self.users = UserService(uow, resources)
        self.sign_in = SignInService(uow, resources, client)
        self.passwords = self.users.passwords
        self.challenges = ChallengeService(resources.settings.auth, resources.redis)

    def public_key(self) -> PublicKeyResponse:
        """The current public key, with a new challenge."""
        credentials = self.resources.credentials
        return PublicKeyResponse(
            kid=credentials.kid,
            public_key=credentials.public_pem,
            challenge=self.challenges.issue(int(time.time())),
            expires_in=self.challenges.lifetime_seconds,
        )

    async def login(self, username: str, ciphertext: str, kid: str, entry: AuditEntry) -> TokenPair:
        """Start a session for a user with the right password, encrypted with an unused challenge.

        Raises:
            UnauthorizedError: Anything is wrong. The error, and the time until it is raised, do not reveal what.
            TooManyRequestsError: Too many failed logins of this account or from this address.
        """
        return await self._login(username, partial(self.passwords.verify, ciphertext, kid), entry)

    async def login_with_password(self, username: str, password: str, entry: AuditEntry, code: str = "") -> TokenPair:
        """`login` with a plain-text password and, for users who have a second factor, a code of it.

        Raises:
            UnauthorizedError: As for `login`, or the code is wrong.
            TooManyRequestsError: As for `login`.
        """
        try:
            return await self._login(username, partial(self.passwords.verify_plain, password), entry)
        except FactorRequiredError as error:
            if not code:
                raise
            from src.schemas.factor import FactorLogin  # where there are factors only
            from src.services.factor_login import FactorLoginService

            factors = FactorLoginService(self.uow, self.resources, self.client)
            return await factors.log_in(FactorLogin(ticket=error.challenge.ticket, code=code), entry)

    async def _login(self, username: str, verify: Verify, entry: AuditEntry) -> TokenPair:
        account = canonical_username(username)
        await self.throttle.admit(account, self.client.login)
        entry.record_anonymous = True
        user = None
        if is_storable(username):
            # Not the unit of work's connection, which would stay checked out while the password is hashed.
            async with self.resources.read_connection() as connection:
                user = await LoginCRUD(connection).find(username)
        if user is not None:
            entry.target["userId"] = str(user.id)
            entry.details["username"] = username  # an unknown name may be a password typed into the wrong field
        # Hash without a user too, so that it takes equally long.
        new_hash = await verify(dummy_hash() if user is None else user.password_hash)
        if user is None or new_hash is None or not user.status:
            log.info("login_failed", user_id=user and str(user.id), address=self.client.address)
            await self.throttle.fail(account, self.client.login)
            raise UnauthorizedError("Wrong username or password.", error="auth.invalid_credentials")
        if new_hash:
            await self._replace_hash(user, new_hash)
        entry.actor_id = user.id
        return await self.sign_in.start(user.id, account, needs_factor=user.has_factor)

    async def _replace_hash(self, user: LoginUser, new_hash: str) -> None:
        """Store a stronger hash of the same password, also if the login does not end here."""
        async with self.resources.unit_of_work() as uow:
            unchanged = {"id": user.id, "password_hash": user.password_hash}
            await UserCRUD(uow.session).update_many(unchanged, {"password_hash": new_hash})

    async def change_password(self, claims: AccessClaims, old: str, new: str, kid: str) -> None:
        """Change the caller's password, and end their other sessions.

        Raises:
            BadRequestError: The old password is wrong, or one of the two cannot be decrypted.
            InvalidInputError: The new password is too weak.
            TooManyRequestsError: The old password was wrong too often.
        """
        user = await self.users.get(claims.user_id)
        await self.require_password(claims, user, old, kid)
        hashed = await self.passwords.hash_new("newPassword", new, kid)
        await self.users.replace_password(user, hashed, must_change=False, except_session=claims.session_id)
        log.info("password_changed", user_id=str(user.id), address=self.client.address)

    async def require_password(self, claims: AccessClaims, user: User, ciphertext: str, kid: str) -> None:
        """Check the password of the logged-in user.

        Raises:
            BadRequestError: It is wrong, or cannot be decrypted.
            TooManyRequestsError: It was wrong too often.
        """
        attempts = f"session:{claims.session_id}"  # no username; strangers cannot use up these
        await self.throttle.admit(attempts, self.client.login)
        if await self.passwords.verify(ciphertext, kid, user.password_hash) is None:
            await self.throttle.fail(attempts, self.client.login)
            raise BadRequestError("The old password is wrong.", error="auth.wrong_password")
