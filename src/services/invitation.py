from collections.abc import Sequence
from typing import Any
from uuid import UUID

from src.core.exceptions import InvalidInputError, NotFoundError, PermissionDeniedError, TooManyRequestsError
from src.models.email_link import EmailLink, LinkPurpose
from src.models.user import User
from src.schemas.email import InvitationAccept, InvitationCreate
from src.services.actor import Actor
from src.services.email_link import LIFETIME, EmailLinkService, InvalidLinkError
from src.services.user_admin import UserAdminService, grants_of
from src.utils.date import utc_now
from src.utils.language import Language

INVITE = "POST:/api/v1/users/invitations"


class InvitationService(UserAdminService):
    """Invites people by e-mail, who then create their account themselves."""

    async def invite(self, data: InvitationCreate, actor: Actor, language: Language | None) -> EmailLink:
        """Invite somebody to an account with these roles. Whether the address has an account is not told.

        Raises:
            PermissionDeniedError: The roles grant permissions that the actor does not hold.
            InvalidInputError: A role does not exist.
            TooManyRequestsError: The address was invited too often.
        """
        await self.get_grantable(data.roles, actor)
        purpose, links = LinkPurpose.ACCEPT_INVITATION, EmailLinkService(self.uow)
        if not await links.is_mail_allowed(purpose, data.email):
            raise TooManyRequestsError(int(LIFETIME.total_seconds()), error="request.rate_limited")
        fields = {**data.model_dump(), "invited_by": actor.user_id, "expires_at": utc_now() + LIFETIME}
        invitation = await links.links.create({"purpose": purpose, **fields})
        self.emails.send_invitation(invitation.id, language)
        return invitation

    async def list_pending(self) -> Sequence[EmailLink]:
        """The invitations that can still be accepted, newest first."""
        return await EmailLinkService(self.uow).links.list(_pending(), order=("-create_time",))

    async def withdraw(self, invitation_id: UUID, actor: Actor) -> None:
        """Void all invitations of this inviter to this address, also those whose e-mail is still to be sent.

        They stay until they expire, since they count against the e-mails that the address may get.

        Raises:
            NotFoundError: There is none, or it was accepted or withdrawn, or has expired.
            PermissionDeniedError: Its roles grant permissions that the actor does not hold.
        """
        links = EmailLinkService(self.uow).links
        found = await links.list({"id": invitation_id, **_pending()}, limit=1)
        if not found:
            raise NotFoundError("Invitation not found.")
        actor.require_all(grants_of(await self.roles.list({"code__in": found[0].roles})))
        same = {**_pending(), "email": found[0].email, "invited_by": found[0].invited_by}
        await links.update_many(same, {"token_hash": None, "invited_by": None})

    async def accept(self, data: InvitationAccept, language: Language | None) -> User:
        """Create the account of an invited person, with what the inviter may still grant.

        Raises:
            InvalidLinkError: The link is not valid, or the inviter may no longer invite, or not with these roles.
            ConflictError: The username is taken, or the address meanwhile.
            BadRequestError: The password cannot be decrypted.
            InvalidInputError: The password is too weak.
        """
        invitation = await EmailLinkService(self.uow).redeem(LinkPurpose.ACCEPT_INVITATION, data.token)
        try:
            roles = await self.get_grantable(invitation.roles, await self._inviter(invitation))
        except (PermissionDeniedError, InvalidInputError) as error:
            raise InvalidLinkError from error
        hashed = await self.passwords.hash_new("password", data.password, data.kid)
        fields = {
            "name": data.name or data.username,
            "username": data.username,
            "email": invitation.email,
            "email_verified_at": utc_now(),
            "language": language,
        }
        return await self.insert(fields, hashed, roles)

    async def _inviter(self, invitation: EmailLink) -> Actor:
        actor = None if invitation.invited_by is None else await self.permissions.get_actor(invitation.invited_by)
        if actor is None or not actor.holds(INVITE):
            raise InvalidLinkError
        return actor


def _pending() -> dict[str, Any]:
    return {"purpose": LinkPurpose.ACCEPT_INVITATION, "invited_by__null": False, "expires_at__gt": utc_now()}
