from uuid import UUID

from src.core.security.access import Access
from src.core.unit_of_work import UnitOfWork
from src.crud.user import UserCRUD
from src.models.user import User
from src.schemas.permission import PermissionExplanation, RoleExplanation


class PermissionExplanationService:
    """Explains permission decisions, from the same rows that they are based on."""

    def __init__(self, uow: UnitOfWork) -> None:
        self.users = UserCRUD(uow.session)

    async def explain(self, user_id: UUID, permission: str, access: Access | None) -> PermissionExplanation:
        """Whether the user may call the route or event with this permission code, and why.

        `access` is what the route or event requires; None if it does not exist.

        Raises:
            NotFoundError: The user does not exist.
        """
        user = await self.users.get(user_id)
        roles = [
            RoleExplanation(
                code=role.code, name=role.name, status=role.status, grants=permission in role.interface_permissions
            )
            for role in await self.users.roles(user_id)
        ]
        granting = next((role for role in roles if role.grants and role.status), None)
        granted, reason = _decide(user, access, granting, roles)
        decided_by = granting.code if granted and granting and access is Access.PERMISSION else None
        return PermissionExplanation(
            permission=permission, granted=granted, reason=reason, decided_by=decided_by, roles=roles
        )


def _decide(
    user: User, access: Access | None, granting: RoleExplanation | None, roles: list[RoleExplanation]
) -> tuple[bool, str]:
    if access is None:
        return False, "There is no such route or event."
    if access is Access.PUBLIC:
        return True, "public: no login is needed."
    if not user.status:
        return False, "The user is disabled."
    if access is Access.SESSION:
        return True, "any login: no permission is needed."
    return _decide_permission(user, granting, roles)


def _decide_permission(user: User, granting: RoleExplanation | None, roles: list[RoleExplanation]) -> tuple[bool, str]:
    if user.must_change_password:
        return False, "The user has to change their password first."
    if user.is_admin:
        return True, "Administrators hold every permission."
    if granting is not None:
        return True, f"The role {granting.code} grants it."
    if any(role.grants for role in roles):
        return False, "Only disabled roles grant it."
    return False, "No role of the user grants it."
