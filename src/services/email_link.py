"""Single-use links in e-mails: random, hashed at rest, for one purpose, and for an account as it was."""

import hashlib
import secrets
from datetime import timedelta
from uuid import UUID

from src.core.exceptions import BadRequestError
from src.core.unit_of_work import UnitOfWork
from src.crud.email_link import EmailLinkCRUD
from src.crud.user import UserCRUD
from src.models.email_link import EmailLink, LinkPurpose
from src.models.user import User
from src.utils.date import utc_now

LIFETIME = timedelta(minutes=30)
# Invitations that the mail server has not taken yet are kept.
KEPT = timedelta(days=1)
MAILS_PER_ADDRESS = 5
"""Mails of one purpose to one address in 30 minutes. Further ones are not sent, since those before are still good."""


class InvalidLinkError(BadRequestError):
    """A link was made up, was used before, has expired, or is for something else; the response does not say which."""

    error = "auth.invalid_link"
    message = "The link is invalid, was used before, or has expired."


class EmailLinkService:
    """Issues links, and accepts each one once."""

    def __init__(self, uow: UnitOfWork) -> None:
        self.links = EmailLinkCRUD(uow.session)
        self.users = UserCRUD(uow.session)

    async def is_mail_allowed(self, purpose: LinkPurpose, email: str) -> bool:
        """Whether the address may get another mail of this purpose; no other transaction counts until this one ends."""
        await self.links.lock_mails(purpose, email)
        return await self.links.count_live(purpose, email, utc_now()) < MAILS_PER_ADDRESS

    async def issue(self, purpose: LinkPurpose, user: User) -> str:
        """A link about the user's account, which ends when its password or address changes; returns its token."""
        link = {"purpose": purpose, "email": user.email, "user_id": user.id, "expires_at": utc_now() + LIFETIME}
        token = secrets.token_urlsafe(32)
        await self.links.create({**link, "token_hash": _hash(purpose, token), "account_state": _state(user)})
        return token

    async def withdraw(self, purpose: LinkPurpose, token: str) -> None:
        """Delete a link whose mail was not sent, so that it does not count."""
        await self.links.take(_hash(purpose, token), utc_now())

    async def keep(self, invitation_id: UUID) -> None:
        """Keep the link of an invitation beside the next one, as its mail may have been sent; it counts."""
        invitation = await self.links.find(invitation_id)
        if invitation is None or invitation.token_hash is None:
            return
        kept = "purpose", "email", "token_hash", "expires_at", "roles", "invited_by"
        link = {name: getattr(invitation, name) for name in kept}
        await self.links.update(invitation, {"token_hash": None})
        await self.links.create(link)

    async def renew(self, invitation: EmailLink) -> str:
        """A new token for an invitation, in place of the one before, if any; its time begins."""
        token = secrets.token_urlsafe(32)
        changes = {"token_hash": _hash(invitation.purpose, token), "expires_at": utc_now() + LIFETIME}
        await self.links.update(invitation, changes)
        return token

    async def redeem(self, purpose: LinkPurpose, token: str) -> EmailLink:
        """Use a link up, with the transaction: after a rollback it can be used again.

        Raises:
            InvalidLinkError: There is no such link.
        """
        link = await self.links.take(_hash(purpose, token), utc_now())
        if link is None:
            raise InvalidLinkError
        return link

    async def redeem_for_user(self, purpose: LinkPurpose, token: str) -> User:
        """`redeem` a link about an account.

        Raises:
            InvalidLinkError: There is no such link, or the account is disabled, or not as it was.
        """
        link = await self.redeem(purpose, token)
        if link.user_id is None:
            raise InvalidLinkError
        await self.users.lock(link.user_id)  # of two links that are used at once, the second finds another state
        user = await self.users.find(link.user_id)
        if user is None or not user.status or link.account_state != _state(user):
            raise InvalidLinkError
        return user


def _hash(purpose: LinkPurpose, token: str) -> str:
    return hashlib.sha256(f"{purpose}:{token}".encode()).hexdigest()


def _state(user: User) -> str:
    return hashlib.sha256(f"{user.id}\n{user.password_hash}\n{user.email}".encode()).hexdigest()
