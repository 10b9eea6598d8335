from collections.abc import Sequence
from typing import ClassVar
from uuid import UUID

from sqlmodel import col, select

from src.core.exceptions import InvalidInputError
from src.crud.crud_sqlmodel import BaseSQLModelCRUD
from src.models.role import Role


class RoleCRUD(BaseSQLModelCRUD[Role]):
    """Roles."""

    model: ClassVar[type[Role]] = Role

    async def by_codes(self, codes: Sequence[str]) -> Sequence[Role]:
        """The existing roles with these codes."""
        return (await self.session.exec(select(Role).where(col(Role.code).in_(codes)).order_by(Role.code))).all()

    async def require_codes(self, codes: Sequence[str]) -> Sequence[Role]:
        """The roles with these codes.

        Raises:
            InvalidInputError: A role does not exist.
        """
        roles = await self.by_codes(codes)
        unknown = set(codes) - {role.code for role in roles}
        if unknown:
            raise InvalidInputError("roles", f"Unknown roles: {', '.join(sorted(unknown))}.")
        return roles

    async def by_ids(self, ids: Sequence[UUID]) -> Sequence[Role]:
        """The existing roles with these ids."""
        return (await self.session.exec(select(Role).where(col(Role.id).in_(ids)).order_by(Role.code))).all()
