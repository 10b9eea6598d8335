from collections.abc import Sequence
from uuid import UUID

from src.core.resources import Resources
from src.core.security.token import AccessClaims
from src.core.unit_of_work import UnitOfWork
from src.crud.linked_identity import LinkedIdentityCRUD
from src.crud.login_origin import LoginOriginCRUD
from src.crud.user import UserCRUD
from src.models.linked_identity import LinkedIdentity
from src.services.email import EmailService
from src.services.login_ways import LoginWays
from src.services.session import SessionService


class IdentityService:
    """The identities at providers that the current user may log in with."""

    def __init__(self, uow: UnitOfWork, resources: Resources) -> None:
        self.uow = uow
        self.resources = resources
        self.identities = LinkedIdentityCRUD(uow.session)
        self.users = UserCRUD(uow.session)
        self.origins = LoginOriginCRUD(resources.redis)
        self.sessions = SessionService(resources)
        self.emails = EmailService(uow, resources)

    async def list(self, user_id: UUID) -> Sequence[LinkedIdentity]:
        """The user's identities, oldest first."""
        return await self.identities.of_user(user_id)

    async def unlink(self, claims: AccessClaims, identity_id: UUID) -> LinkedIdentity:
        """Unlink an identity of the caller, end the other sessions that it started, and tell them by e-mail.

        Raises:
            NotFoundError: It does not exist, or is another user's.
            ConflictError: It is the only way to log in.
        """
        await self.users.lock(claims.user_id)  # of the last two, only one is unlinked at a time
        identity = await self.identities.get(identity_id, {"user_id": claims.user_id})
        await LoginWays(self.uow, self.resources).require_other(claims.user_id, identity.id)
        await self.identities.delete(identity)
        provider = self.resources.settings.oidc.providers.get(identity.provider)
        name = (provider and provider.display_name) or identity.provider
        self.emails.send_notice(claims.user_id, "identity_unlinked", provider=name)
        issuer, subject = identity.issuer, identity.subject

        async def end_sessions() -> None:
            for user_id, session_id in await self.origins.find(issuer, subject):
                if user_id == claims.user_id and session_id != claims.session_id:
                    await self.sessions.end_one(user_id, session_id)

        self.uow.before_commit(end_sessions)
        self.uow.after_commit("end sessions", end_sessions)
        return identity
