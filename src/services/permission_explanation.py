from collections.abc import Sequence
from uuid import UUID

from src.core.security.access import Access
from src.core.unit_of_work import UnitOfWork
from src.crud.api_key import ApiKeyCRUD
from src.crud.user import UserCRUD
from src.crud.user_factor import UserFactorCRUD
from src.models.api_key import ApiKey
from src.models.role import Role
from src.models.user import User
from src.schemas.permission import PermissionExplanation, RoleExplanation
from src.services.login_only import requires_login
from src.services.permission import must_have_factor
from src.utils.date import utc_now


class PermissionExplanationService:
    """Explains permission decisions, from the same rows that they are based on."""

    def __init__(self, uow: UnitOfWork, *, factor_required: bool | None = None) -> None:
        """`factor_required` as in `read_actors`."""
        self.factor_required = factor_required
        self.factors = UserFactorCRUD(uow.session)
        self.users = UserCRUD(uow.session)
        self.keys = ApiKeyCRUD(uow.session)

    async def explain(
        self, user_id: UUID, permission: str, access: Access | None, key_id: UUID | None = None
    ) -> PermissionExplanation:
        """Whether the user may call the route or event with this permission code, and why.

        Args:
            user_id: The user.
            permission: The permission code.
            access: What the route or event requires; None if it does not exist.
            key_id: An API key of the user, which may call it if both may.

        Raises:
            NotFoundError: The user does not exist, or has no such key.
        """
        user = await self.users.get(user_id)
        key = None if key_id is None else await self.keys.get(key_id, {"user_id": user_id})
        held = await self.users.roles(user_id)
        roles = [
            RoleExplanation(
                code=role.code, name=role.name, status=role.status, grants=permission in role.interface_permissions
            )
            for role in held
        ]
        granting = next((role for role in roles if role.grants and role.status), None)
        granted, reason = _decide(user, access, granting, roles)
        if granted and key is None and access is Access.PERMISSION and await self._lacks_factor(user, held):
            granted, reason = False, "The user has to add a second factor first."
        if granted and key is not None:
            granted, reason = _decide_key(key, permission, access, reason)
        decided_by = granting.code if granted and granting and access is Access.PERMISSION else None
        return PermissionExplanation(
            permission=permission, granted=granted, reason=reason, decided_by=decided_by, roles=roles
        )

    async def _lacks_factor(self, user: User, roles: Sequence[Role]) -> bool:
        """Whether the user must have a second factor, and has none; keys and schedules need none."""
        enabled = [role for role in roles if role.status]
        if self.factor_required is None or not must_have_factor(user, enabled, for_all=self.factor_required):
            return False
        return not await self.factors.owners([user.id])


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


def _decide_key(key: ApiKey, permission: str, access: Access | None, reason: str) -> tuple[bool, str]:
    if access is Access.PUBLIC:
        return True, reason
    if access is Access.SESSION or requires_login(permission):
        return False, "No API key may do it: it needs a login."
    if key.expires_at is not None and key.expires_at <= utc_now():
        return False, "The API key has expired."
    if permission not in key.codes:
        return False, "The API key does not hold it."
    return True, f"{reason} The API key holds it."


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
