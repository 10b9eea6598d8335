from dataclasses import replace
from functools import partial
from uuid import UUID

import structlog

from src.core.exceptions import UnauthorizedError
from src.core.oidc.errors import OidcFailedError
from src.core.resources import Resources
from src.core.unit_of_work import UnitOfWork
from src.crud.login_origin import LoginOrigin, LoginOriginCRUD
from src.crud.user_factor import UserFactorCRUD
from src.schemas.factor_challenge import FactorChallenge
from src.services.client_tokens import ClientInfo, TokenPair
from src.services.email import EmailService
from src.services.session import SessionService

log = structlog.get_logger(__name__)


class FactorRequiredError(UnauthorizedError):
    """The user has a second factor, and must prove it by `POST /auth/login/factor`."""

    error = "auth.factor_required"
    message = "A second factor is required."

    def __init__(self, challenge: FactorChallenge) -> None:
        super().__init__()
        self.challenge = challenge
        self.data = challenge.model_dump(mode="json", by_alias=True)


class SignInService:
    """The last step of every way to log in: a session for a user who has proven who they are."""

    def __init__(self, uow: UnitOfWork, resources: Resources, client: ClientInfo) -> None:
        self.uow = uow
        self.resources = resources
        self.client = client
        self.settings = resources.settings.auth
        self.throttle = resources.throttle
        self.sessions = SessionService(resources)
        self.emails = EmailService(uow, resources)
        self.origins = LoginOriginCRUD(resources.redis)

    async def start(
        self,
        user_id: UUID,
        account: str,
        *,
        needs_factor: bool | None = None,
        origin: LoginOrigin | None = None,
        authenticated_at: int | None = None,
        is_guessable: bool = True,
    ) -> TokenPair:
        """Start a session, and tell the user of a new device.

        Args:
            user_id: The user, who is enabled.
            account: What failed logins are counted by.
            needs_factor: Whether the user has a second factor and has not proved it; None if the caller does not know.
            origin: The provider whose logout ends the session.
            authenticated_at: When the user proved who they are, if that was before now.
            is_guessable: Whether the login began with a password: others are not refused for wrong passwords.

        Raises:
            FactorRequiredError: The user has a second factor and has not proved it.
            OidcFailedError: The provider has told of a logout already.
            ConflictError: The user has too many sessions.
            TooManyRequestsError: The client became throttled in the meantime.
        """
        if self.resources.settings.has_factors and needs_factor is not False:
            is_known = bool(needs_factor)
            await self._require_factor(user_id, account, origin, is_known=is_known, is_guessable=is_guessable)
        is_new = self.emails.enabled and await self.throttle.is_new_client(account, self.client.login)
        client, description = self.client.login, self._description()
        device = await self.throttle.succeed(account, client, description, is_guessable=is_guessable)
        pair = await self.sessions.start(user_id, replace(self.client, device=device), authenticated_at)
        if origin is not None:
            await self._note(origin, user_id, pair.session_id)
        if is_new:
            address, user_agent = self.client.address, self.client.user_agent[:256] or "?"
            details = {"secret_client_address": address, "secret_user_agent": user_agent}
            self.emails.send_notice(user_id, "new_device", **details)
        self.uow.after_commit("log", partial(self._log, user_id))
        return replace(pair, device_token=device)

    async def _require_factor(
        self, user_id: UUID, account: str, origin: LoginOrigin | None, *, is_known: bool, is_guessable: bool
    ) -> None:
        if is_known or await UserFactorCRUD(self.uow.session).owners([user_id]):
            if is_guessable:  # again: the budget may have been used up while the password was checked
                await self.throttle.admit(account, self.client.login)
            from src.services.factor_ticket import FactorTicketService  # where there are factors only

            tickets = FactorTicketService(self.uow, self.resources, self.client)
            raise FactorRequiredError(await tickets.issue(user_id, account, origin))

    def _description(self) -> str:
        return self.client.describe(self.sessions.tokens.now()) if self.settings.devices_enabled else ""

    async def _note(self, origin: LoginOrigin, user_id: UUID, session_id: str) -> None:
        """Have the session found by its origin; end it if that has ended meanwhile."""
        now, seconds = self.sessions.tokens.now(), self.sessions.settings.session_absolute_seconds
        if not await self.origins.remember(origin, user_id, session_id, now, seconds):
            await self.sessions.end_one(user_id, session_id)
            raise OidcFailedError("the provider has told of a logout")

    async def _log(self, user_id: UUID) -> None:
        log.info("login", user_id=str(user_id), address=self.client.address)
