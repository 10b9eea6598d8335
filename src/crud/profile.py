from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import and_, bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import col

from src.models.role import Role
from src.models.user import User, UserRole


@dataclass(frozen=True, slots=True)
class Profile:
    """A user, with the union of the permissions of their enabled roles."""

    id: UUID
    name: str
    email: str
    username: str
    status: bool
    is_admin: bool
    must_change_password: bool
    create_time: datetime
    update_time: datetime
    roles: list[str]
    button_permissions: list[str]
    router_permissions: list[str]


_USER = [
    col(User.id),
    col(User.name),
    col(User.email),
    col(User.username),
    col(User.status),
    col(User.is_admin),
    col(User.must_change_password),
    col(User.create_time),
    col(User.update_time),
]
_ROLE = [col(Role.code), col(Role.button_permissions), col(Role.router_permissions)]

# One row per enabled role; one row without a role for a user who has none.
_PROFILE = (
    select(*_USER, *_ROLE)
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

    async def find(self, user_id: UUID) -> Profile | None:
        """The user, or None."""
        rows: Sequence[Any] = (await self.connection.execute(_PROFILE, {"user_id": user_id})).all()
        if not rows:
            return None
        roles = [row[len(_USER) :] for row in rows if row[len(_USER)] is not None]
        grants: list[Any] = [
            [code for code, _, _ in roles],
            sorted({button for _, buttons, _ in roles for button in buttons}),
            sorted({router for _, _, routers in roles for router in routers}),
        ]
        return Profile(*rows[0][: len(_USER)], *grants)
