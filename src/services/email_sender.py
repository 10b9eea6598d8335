from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from uuid import UUID

import structlog

from src.core.email.rendering import render
from src.core.email.smtp import EmailOutcomeUnknownError, EmailRejectedError, send
from src.core.resources import Resources
from src.core.tasks.errors import PermanentError
from src.crud.user import UserCRUD
from src.models.email_link import LinkPurpose
from src.models.user import User
from src.services.email import SecurityNotice
from src.services.email_link import EmailLinkService

log = structlog.get_logger(__name__)


class EmailSender:
    """Writes and sends e-mails, for tasks: in the user's language, else in that of the request, else in the default.

    A link is made when its mail is written: it is in no message and in no log, and a retried mail has a new one. The
    transaction ends before the mail server is contacted, which may take long.
    """

    def __init__(self, resources: Resources) -> None:
        self.resources = resources
        self.settings = resources.settings.email

    async def send_password_reset(self, email: str, language: str | None) -> None:
        """Send a link to set a new password, if the address is an enabled user's."""
        purpose = LinkPurpose.RESET_PASSWORD
        async with self.resources.unit_of_work() as uow:
            user, links = await UserCRUD(uow.session).find_by_email(email), EmailLinkService(uow)
            if user is None or not user.status or not await links.is_mail_allowed(purpose, user.email):
                log.info("email_not_sent", purpose=purpose, user_id=user and str(user.id))
                return
            token = await links.issue(purpose, user)
        async with self._withdrawing(purpose, token):
            link, language = self._url(purpose, token), user.language or language
            await self._send(user.email, "password_reset", language, username=user.username, link=link)

    async def send_verification(self, user_id: UUID, language: str | None) -> None:
        """Send a link that confirms the user's address; if it is somebody else's already, tell its owner."""
        purpose = LinkPurpose.VERIFY_EMAIL
        async with self.resources.unit_of_work() as uow:
            users, links = UserCRUD(uow.session), EmailLinkService(uow)
            user = await _find_person(users, user_id)
            if user is None or not await links.is_mail_allowed(purpose, user.email):
                log.info("email_not_sent", purpose=purpose, user_id=str(user_id))
                return
            owner = await users.find_by_email(user.email)
            token = await links.issue(purpose, user)  # counts as a mail to the address in any case
        async with self._withdrawing(purpose, token):
            if owner is not None and owner.id != user.id:
                await self._send_account_exists(owner, language)
            else:
                link, language = self._url(purpose, token), user.language or language
                await self._send(user.email, "email_verification", language, link=link)

    async def send_invitation(self, invitation_id: UUID, language: str | None) -> None:
        """Send the link of an invitation; if the address is somebody's already, tell its owner."""
        async with self.resources.unit_of_work() as uow:
            users, links = UserCRUD(uow.session), EmailLinkService(uow)
            invitation = await links.links.find(invitation_id)
            inviter = await users.find(invitation.invited_by) if invitation and invitation.invited_by else None
            if invitation is None or inviter is None:
                log.info("email_not_sent", purpose=LinkPurpose.ACCEPT_INVITATION)
                return
            owner = await users.find_by_email(invitation.email)
            link = self._url(invitation.purpose, await links.renew(invitation))
        if owner is not None:
            await self._send_account_exists(owner, language)
            return
        try:
            await self._send(invitation.email, "invitation", language, inviter=inviter.name, link=link)
        except EmailOutcomeUnknownError:
            async with self.resources.unit_of_work() as uow:
                await EmailLinkService(uow).keep(invitation_id)
            raise

    async def send_notice(
        self, user_id: UUID, notice: SecurityNotice, details: Mapping[str, str], email: str | None
    ) -> None:
        """Tell a user what has happened to their account, at their address, or at the one that they had before."""
        async with self.resources.unit_of_work() as uow:
            user = await _find_person(UserCRUD(uow.session), user_id)
        if user is None or (email is None and user.email_pending):
            log.info("email_not_sent", purpose=notice, user_id=str(user_id))
            return
        values = {name.removeprefix("secret_"): value for name, value in details.items()}
        await self._send(email or user.email, notice, user.language, username=user.username, **values)

    async def send_account_deleted(self, email: str, language: str | None) -> None:
        """Tell somebody that their account was deleted."""
        await self._send(email, "account_deleted", language)

    async def _send_account_exists(self, owner: User, language: str | None) -> None:
        await self._send(owner.email, "account_exists", owner.language or language, username=owner.username)

    async def _send(self, recipient: str, name: str, language: str | None, **values: str) -> None:
        if not self.settings.enabled:
            raise PermanentError("SMTP_URL is not set for this worker.")
        values |= {"app": self.resources.settings.app.name}
        await send(self.settings, recipient, render(name, language or self.settings.language, **values))
        log.info("email_sent", mail=name)

    @asynccontextmanager
    async def _withdrawing(self, purpose: LinkPurpose, token: str) -> AsyncIterator[None]:
        """Delete the link if its mail was not sent. A refused one counts, since strangers choose where mails go."""
        try:
            yield
        except (EmailRejectedError, EmailOutcomeUnknownError):
            raise
        except Exception:
            async with self.resources.unit_of_work() as uow:
                await EmailLinkService(uow).withdraw(purpose, token)
            raise

    def _url(self, purpose: LinkPurpose, token: str) -> str:
        """The page of the frontend; what follows # is sent to no server, and so is in no log."""
        return f"{self.settings.link_url.rstrip('/')}/{purpose}#token={token}"


async def _find_person(users: UserCRUD, user_id: UUID) -> User | None:
    """The user, if they are enabled and no service account, whose address is made up."""
    user = await users.find(user_id)
    return user if user is not None and user.status and not user.is_service_account else None
