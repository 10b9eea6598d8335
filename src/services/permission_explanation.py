from dataclasses import dataclass
from uuid import UUID

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

    async def explain(self, user_id: UUID, permission: str) -> Explanation:
        """Whether the user holds the permission, and why.

        Raises:
            NotFoundError: The user does not exist.
        """
        user = await self.users.get(user_id)
        roles = await self.users.roles(user_id)
        verdicts = [
            RoleVerdict(role.code, role.name, role.status, permission in role.interface_permissions) for role in roles
        ]
        granting = next((verdict for verdict in verdicts if verdict.grants and verdict.status), None)
        granted, reason = _decide(user, granting, verdicts)
        return Explanation(permission, granted, reason, granting.code if granted and granting else None, verdicts)


def _decide(user: User, granting: RoleVerdict | None, verdicts: list[RoleVerdict]) -> tuple[bool, str]:
    if not user.status:
        return False, "The user is disabled."
    if user.must_change_password:
        return False, "The user has to change their password first."
    if user.is_admin:
        return True, "Administrators hold every permission."
    if granting is not None:
        return True, f"The role {granting.code} grants it."
    if any(verdict.grants for verdict in verdicts):
        return False, "Only disabled roles grant it."
    return False, "No role of the user grants it."
