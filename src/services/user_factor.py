from collections.abc import Sequence
from uuid import UUID

from src.core.exceptions import ConflictError
from src.models.user import User
from src.models.user_factor import FactorKind, UserFactor
from src.services.actor import Actor
from src.services.factor import FactorService
from src.services.login_ways import LoginWays
from src.services.user_admin import UserAdminService


class UserFactorService(UserAdminService):
    """Administration of other users' second factors."""

    async def list_factors(self, user_id: UUID, actor: Actor) -> Sequence[UserFactor]:
        """The user's second factors, oldest first."""
        await self.get_manageable(user_id, actor)
        return await FactorService(self.uow, self.resources).list_of(user_id)

    async def remove_factors(self, user_id: UUID, actor: Actor) -> User:
        """Remove all of a user's second factors, of a lost phone for instance, and end all of their sessions.

        Raises:
            ConflictError: It is the actor, or passkeys are the user's only way to log in.
        """
        user = await self.get_manageable(user_id, actor)
        if user.id == actor.user_id:
            raise ConflictError("Remove your own factors at /auth/factors.", error="factors.own")
        await self.users.lock(user.id)
        factors = FactorService(self.uow, self.resources)
        passkeys = await factors.factors.of_user(user.id, FactorKind.PASSKEY)
        if passkeys:
            await LoginWays(self.uow, self.resources).require_other(user.id, *(passkey.id for passkey in passkeys))
        await factors.remove_all(user)
        self.sessions.end_on_commit(self.uow, user.id)
        return user
