from src.models.user import User
from src.schemas.api_key import ServiceAccountCreate
from src.services.actor import Actor
from src.services.user_admin import UserAdminService

# No mail arrives there: the zone is reserved. The username makes the address unique.
EMAIL = "{username}@service-accounts.invalid"


class ServiceAccountService(UserAdminService):
    """Service accounts are users: they get roles, are disabled and deleted like all others."""

    async def create_service_account(self, data: ServiceAccountCreate, actor: Actor) -> User:
        """Create a service account.

        Raises:
            PermissionDeniedError: The roles grant permissions that the actor does not hold.
            ConflictError: The username is taken.
            InvalidInputError: A role does not exist.
        """
        roles = await self.get_grantable(data.roles, actor)
        email = EMAIL.format(username=data.username)
        fields = {**data.model_dump(exclude={"roles"}), "email": email, "is_service_account": True}
        return await self.insert(fields, "", roles)
