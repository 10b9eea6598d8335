from uuid import UUID

from src.core.exceptions import UnauthorizedError
from src.core.resources import Resources
from src.crud.profile import ProfileCRUD
from src.schemas.auth import UserInfoResponse


class ProfileService:
    """The profile of the current user."""

    def __init__(self, resources: Resources) -> None:
        self.resources = resources

    async def get(self, user_id: UUID) -> UserInfoResponse:
        """The user, with the union of the permissions of their enabled roles.

        Raises:
            UnauthorizedError: The user was deleted or disabled.
        """
        async with self.resources.read_connection() as connection:
            profile = await ProfileCRUD(connection).find(user_id)
        if profile is None or not profile["status"]:
            raise UnauthorizedError
        settings = self.resources.settings
        is_required = settings.has_factors and (settings.factors.is_required or profile["requires_factor"])
        return UserInfoResponse.model_validate(
            {**profile, "must_add_factor": is_required and not profile["has_factor"]}
        )
