from uuid import UUID

from src.core.exceptions import ConflictError
from src.core.resources import Resources
from src.core.unit_of_work import UnitOfWork
from src.crud.linked_identity import LinkedIdentityCRUD
from src.crud.user import UserCRUD
from src.crud.user_factor import UserFactorCRUD
from src.models.user_factor import FactorKind


class LoginWays:
    """By what a user can log in: a password, passkeys, and identities at providers."""

    def __init__(self, uow: UnitOfWork, resources: Resources) -> None:
        self.settings = resources.settings
        self.users = UserCRUD(uow.session)
        self.factors = UserFactorCRUD(uow.session)
        self.identities = LinkedIdentityCRUD(uow.session)

    async def require_other(self, user_id: UUID, *than: UUID) -> None:
        """Check that the user can log in without these passkeys and identities; lock the user before.

        Raises:
            ConflictError: They cannot.
        """
        issuers = {provider.issuer for provider in self.settings.oidc.providers.values()}
        ways = [each.id for each in await self.identities.of_user(user_id) if each.issuer in issuers]
        if self.settings.has_passkeys:
            ways += [each.id for each in await self.factors.of_user(user_id, FactorKind.PASSKEY)]
        user = await self.users.get(user_id)
        if not user.password_hash and not set(ways) - set(than):
            raise ConflictError("It is the only way to log in: set a password first.", error="auth.last_login")
