from uuid import UUID

from src.core.exceptions import ConflictError, PermissionDeniedError
from src.core.resources import Resources
from src.core.security.token import AccessClaims
from src.core.unit_of_work import UnitOfWork
from src.services.actor import Actor
from src.services.client_tokens import ClientInfo, TokenPair
from src.services.user import require_person
from src.services.user_admin import UserAdminService


class ImpersonationService:
    """Administrators who act as a user, to see what the user sees: for minutes, and never without a trace."""

    def __init__(self, uow: UnitOfWork, resources: Resources) -> None:
        self.users = UserAdminService(uow, resources)

    async def start(self, user_id: UUID, actor: Actor, claims: AccessClaims, client: ClientInfo) -> TokenPair:
        """Start a session in which the caller acts as the user, and tell the user.

        Raises:
            NotFoundError: The user does not exist.
            PermissionDeniedError: The user holds as much as the caller, or more.
            ConflictError: The user is disabled, a service account, or has too many sessions.
        """
        user = await self.users.get_manageable(user_id, actor)
        if user.is_admin or not actor.exceeds(await self.users.grants(user.id)):
            raise PermissionDeniedError(
                "You can only act as users who hold less than you.", error="auth.not_yours_to_act_as"
            )
        require_person(user)
        if not user.status:
            raise ConflictError("The user is disabled.", error="user.disabled")
        caller = await self.users.get(actor.user_id)
        pair = await self.users.sessions.start_acting(user.id, claims, caller.username, client)
        self.users.emails.send_notice(user.id, "acted_as", secret_administrator=caller.username)
        return pair
