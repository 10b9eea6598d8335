import asyncio
from dataclasses import replace
from functools import partial
from uuid import UUID

import structlog

from src.core.resources import Resources
from src.core.unit_of_work import UnitOfWork
from src.services.email import EmailService
from src.services.session import ClientInfo, SessionService, TokenPair

log = structlog.get_logger(__name__)


class SignInService:
    """The last step of every way to log in: a session for a user who has proven who they are."""

    def __init__(self, uow: UnitOfWork, resources: Resources, client: ClientInfo) -> None:
        self.uow = uow
        self.client = client
        self.throttle = resources.throttle
        self.sessions = SessionService(resources)
        self.emails = EmailService(uow, resources)

    async def start(self, user_id: UUID, account: str) -> TokenPair:
        """Start a session, and tell the user of a new device; failed logins are counted by the `account`.

        Raises:
            ConflictError: The user has too many sessions.
            TooManyRequestsError: The client became throttled in the meantime.
        """
        is_new = self.emails.enabled and await self.throttle.is_new_client(account, self.client.login)
        pair = await self._count_and_start(user_id, account)
        if is_new:
            details = {"client_address": self.client.address, "user_agent": self.client.user_agent[:256] or "?"}
            self.emails.send_notice(user_id, "new_device", **details)
        self.uow.after_commit("log", partial(self._log, user_id))
        return pair

    async def _count_and_start(self, user_id: UUID, account: str) -> TokenPair:
        """Count the success and start a session, in one round trip; if the client is throttled, the session ends."""
        device, pair = await asyncio.gather(
            self.throttle.succeed(account, self.client.login),
            self.sessions.start(user_id, self.client),
            return_exceptions=True,
        )
        if isinstance(pair, BaseException):
            raise device if isinstance(device, BaseException) else pair
        if isinstance(device, BaseException):
            await self.sessions.end_one(user_id, pair.session_id)
            raise device
        return replace(pair, device_token=device)

    async def _log(self, user_id: UUID) -> None:
        log.info("login", user_id=str(user_id), address=self.client.address)
