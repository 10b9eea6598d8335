from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import and_, bindparam, exists, select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import col

from src.models.role import Role
from src.models.user import User, UserRole
from src.models.user_factor import UserFactor

_COLUMNS = (
    "id",
    "name",
    "email",
    "username",
    "status",
    "is_admin",
    "must_change_password",
    "deletion_due_at",
    "create_time",
    "update_time",
)
_USER = [getattr(User, name) for name in _COLUMNS]
_ROLE = [col(Role.code), col(Role.button_permissions), col(Role.router_permissions), col(Role.requires_factor)]
_HAS_FACTOR = exists().where(col(UserFactor.user_id) == col(User.id)).label("has_factor")

# One row per enabled role; one row without a role for a user who has none.
_PROFILE = (
    select(*_USER, _HAS_FACTOR, *_ROLE)
    .select_from(User)
    .outerjoin(UserRole, col(UserRole.user_id) == col(User.id))
    .outerjoin(Role, and_(col(Role.id) == col(UserRole.role_id), col(Role.status).is_(True)))
    .where(col(User.id) == bindparam("user_id"))
    .order_by(col(Role.code))
)


class ProfileCRUD:
    """Loads the profile that frontends request at every start: one statement, no ORM objects."""

    def __init__(self, connection: AsyncConnection) -> None:
        self.connection = connection

    async def find(self, user_id: UUID) -> dict[str, Any] | None:
        """The user's columns, with the union of what their enabled roles grant and require; None without a user."""
        rows: Sequence[Any] = (await self.connection.execute(_PROFILE, {"user_id": user_id})).all()
        if not rows:
            return None
        first = len(_USER) + 1
        roles = [row[first:] for row in rows if row[first] is not None]
        return {
            **dict(zip(_COLUMNS, rows[0], strict=False)),
            "has_factor": rows[0].has_factor,
            "requires_factor": any(required for *_, required in roles),
            "roles": [code for code, *_ in roles],
            "button_permissions": sorted({button for _, buttons, _, _ in roles for button in buttons}),
            "router_permissions": sorted({router for _, _, routers, _ in roles for router in routers}),
        }
