from dataclasses import dataclass
from uuid import UUID

from src.core.security.access import Access
from src.core.unit_of_work import UnitOfWork
from src.crud.user import UserCRUD
from src.models.user import User


@dataclass(frozen=True, slots=True)
class RoleVerdict:
    """Whether one of the user's roles grants the permission."""

    code: str
    name: str
    status: bool
    grants: bool


@dataclass(frozen=True, slots=True)
class Explanation:
    """Whether a user holds a permission, and why."""

    permission: str
    granted: bool
    reason: str
    decided_by: str | None
    roles: list[RoleVerdict]


class PermissionExplanationService:
    """Explains permission decisions, from the same rows that they are based on."""

    def __init__(self, uow: UnitOfWork) -> None:
        self.users = UserCRUD(uow.session)

    async def explain(self, user_id: UUID, permission: str, access: Access | None) -> Explanation:
        """Whether the user may call the route or event with this permission code, and why.

        Args:
            user_id: The user.
            permission: The permission code.
            access: What the route or event requires; None if it does not exist.

        Raises:
            NotFoundError: The user does not exist.
        """
        user = await self.users.get(user_id)
        roles = await self.users.roles(user_id)
        verdicts = [
            RoleVerdict(role.code, role.name, role.status, permission in role.interface_permissions) for role in roles
        ]
        granting = next((verdict for verdict in verdicts if verdict.grants and verdict.status), None)
        granted, reason = _decide(user, access, granting, verdicts)
        decided_by = granting.code if granted and granting and access is Access.PERMISSION else None
        return Explanation(permission, granted, reason, decided_by, verdicts)


def _decide(
    user: User, access: Access | None, granting: RoleVerdict | None, verdicts: list[RoleVerdict]
) -> tuple[bool, str]:
    if access is None:
        return False, "There is no such route or event."
    if access is Access.PUBLIC:
        return True, "public: no login is needed."
    if not user.status:
        return False, "The user is disabled."
    if access is Access.SESSION:
        return True, "any login: no permission is needed."
    return _decide_permission(user, granting, verdicts)


def _decide_permission(user: User, granting: RoleVerdict | None, verdicts: list[RoleVerdict]) -> tuple[bool, str]:
    if user.must_change_password:
        return False, "The user has to change their password first."
    if user.is_admin:
        return True, "Administrators hold every permission."
    if granting is not None:
        return True, f"The role {granting.code} grants it."
    if any(verdict.grants for verdict in verdicts):
        return False, "Only disabled roles grant it."
    return False, "No role of the user grants it."
