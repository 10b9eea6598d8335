from src.core.exceptions import InvalidInputError, PermissionDeniedError, TooManyRequestsError
from src.models.email_link import EmailLink, LinkPurpose
from src.models.user import User
from src.schemas.email import InvitationAccept, InvitationCreate
from src.services.actor import Actor
from src.services.email_link import LIFETIME, EmailLinkService, InvalidLinkError
from src.services.user_admin import UserAdminService
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
