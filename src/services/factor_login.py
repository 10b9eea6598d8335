from typing import Any

import structlog

from src.core.exceptions import BadRequestError, UnauthorizedError
from src.core.resources import Resources
from src.core.security.audit import AuditEntry
from src.core.security.token import AccessClaims
from src.core.unit_of_work import UnitOfWork
from src.crud.session import digest
from src.crud.user import UserCRUD
from src.models.user import User
from src.schemas.factor import FactorLogin, PasskeyLoginOptions, Reauthentication
from src.schemas.factor_challenge import ProofKind, ProofOptions
from src.services.client_tokens import ClientInfo, TokenPair
from src.services.email import EmailService
from src.services.factor_proof import FactorProofService
from src.services.factor_ticket import FactorTicketService
from src.services.passkey import CHALLENGE_SECONDS
from src.services.password import PasswordService
from src.services.session import SessionService
from src.services.sign_in import SignInService

log = structlog.get_logger(__name__)

WRONG_CODES = 5
"""After so many of a client, or of all strangers, the owner is warned, once a day."""


class FactorLoginService:
    """Logins with a second factor or a passkey, and proofs of who the user of a session is."""

    def __init__(self, uow: UnitOfWork, resources: Resources, client: ClientInfo) -> None:
        self.resources = resources
        self.client = client
        self.users = UserCRUD(uow.session)
        self.tickets = FactorTicketService(uow, resources, client)
        self.proofs = FactorProofService(uow, resources)
        self.passwords = PasswordService(resources)
        self.sessions = SessionService(resources)
        self.sign_in = SignInService(uow, resources, client)

    async def log_in(self, data: FactorLogin, entry: AuditEntry) -> TokenPair:
        """Finish a login that began with another proof.

        Raises:
            InvalidTicketError: The ticket is not valid.
            UnauthorizedError: The code or the passkey is wrong, or was used before.
            TooManyRequestsError: Too many codes, or other attempts to log in, failed.
            ConflictError: The user has too many sessions.
        """
        entry.record_anonymous = True
        ticket = await self.tickets.attempt(data.ticket)
        user = ticket.user
        entry.actor_id = user.id
        entry.details["username"] = user.username
        is_guessable = ticket.origin is None
        if is_guessable:
            await self.sign_in.throttle.admit(ticket.account, self.client.login)
        kind = await self._verify(user, ticket.account, ticket.purpose, data.code, data.credential)
        if kind is None:
            log.info("factor_failed", user_id=str(user.id), address=self.client.address)
            if is_guessable:
                await self.sign_in.throttle.fail(ticket.account, self.client.login)
            raise UnauthorizedError("The code or passkey is wrong, or was used before.", error="auth.invalid_factor")
        entry.details["factor"] = kind
        await self.tickets.consume(ticket)
        return await self.sign_in.start(
            user.id, ticket.account, needs_factor=False, origin=ticket.origin, is_guessable=is_guessable
        )

    async def passkey_options(self) -> PasskeyLoginOptions:
        """What a browser needs for a login without a password."""
        options = await self.proofs.passkeys.request_options(self._purpose)
        return PasskeyLoginOptions(options=options, expires_in=CHALLENGE_SECONDS)

    async def log_in_with_passkey(self, credential: dict[str, Any], entry: AuditEntry) -> TokenPair:
        """Log in without a password: a passkey is two factors, since it verifies its user.

        Raises:
            UnauthorizedError: Anything is wrong.
            ConflictError: The user has too many sessions.
        """
        entry.record_anonymous = True
        passkey = await self.proofs.passkeys.verify(credential, self._purpose)
        user = None if passkey is None else await self.users.find(passkey.user_id)
        if user is None or not user.status:
            log.info("login_failed", user_id=user and str(user.id), address=self.client.address)
            raise UnauthorizedError("The passkey is not accepted.", error="auth.invalid_credentials")
        entry.actor_id = user.id
        entry.details |= {"username": user.username, "factor": "passkey"}
        return await self.sign_in.start(user.id, user.username_key, needs_factor=False, is_guessable=False)

    async def reauthentication_options(self, claims: AccessClaims) -> ProofOptions:
        """By what the user of a session can prove who they are: a second factor if they have one, else the password.

        Nothing is possible for users who log in with a provider alone: they log in again.
        """
        user = await self.users.get(claims.user_id)
        options = await self.proofs.options(user, _session_purpose(claims))
        if options.kinds or not user.password_hash:
            return options
        return ProofOptions(kinds=["password"], passkey_options=None)

    async def reauthenticate(self, claims: AccessClaims, data: Reauthentication, entry: AuditEntry) -> str:
        """A new access token for a user who has just proved who they are.

        Raises:
            BadRequestError: The proof is wrong, was used before, or is a password though there is a second factor.
            TooManyRequestsError: Too many proofs were wrong.
            UnauthorizedError: The session has ended.
        """
        user = await self.users.get(claims.user_id)
        attempts = f"session:{claims.session_id}"
        await self.sign_in.throttle.admit(attempts, self.client.login)
        kind: ProofKind | None
        if data.password is not None:
            kind = await self._verify_password(user, data.password, data.kid or "")
        else:
            purpose = _session_purpose(claims)
            kind = await self._verify(user, user.username_key, purpose, data.code, data.credential)
        if kind is None:
            await self.sign_in.throttle.fail(attempts, self.client.login)
            raise BadRequestError("The proof is wrong, or was used before.", error="auth.invalid_proof")
        entry.details["factor"] = kind
        return await self.sessions.prove(claims)

    async def _verify(
        self, user: User, account: str, purpose: str, code: str | None, credential: dict[str, Any] | None
    ) -> ProofKind | None:
        """By what a second factor was proved; None if it was not. Codes are counted before they are checked."""
        if code is None:
            return await self.proofs.verify(user, purpose, None, credential)
        number = await self.sign_in.throttle.admit_code(account, self.client.login)
        kind = await self.proofs.verify(user, purpose, code, None)
        if kind is not None:
            await self.sign_in.throttle.refund_code(account, self.client.login)
        elif number >= WRONG_CODES and await self.sign_in.throttle.may_warn(account):
            await self._warn_owner(user)
        return kind

    async def _verify_password(self, user: User, ciphertext: str, kid: str) -> ProofKind | None:
        """Whether the password is right, and enough: not for users who have a second factor."""
        is_right = await self.passwords.verify(ciphertext, kid, user.password_hash) is not None
        return "password" if is_right and not await self.proofs.factors.owners([user.id]) else None

    async def _warn_owner(self, user: User) -> None:
        """Tell the user, by a transaction of its own, that somebody knows their password but not their factor."""
        async with self.resources.unit_of_work() as uow:
            emails = EmailService(uow, self.resources)
            emails.send_notice(user.id, "wrong_codes", secret_client_address=self.client.address)

    @property
    def _purpose(self) -> str:
        """Of the challenges for logins without a password, which are bound to the client."""
        return f"login-of:{digest(self.client.user_agent)}"


def _session_purpose(claims: AccessClaims) -> str:
    return f"session:{claims.session_id}"
