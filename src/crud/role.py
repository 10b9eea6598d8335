from collections.abc import Sequence
from typing import ClassVar
from uuid import UUID

from sqlmodel import col, select

from src.crud.crud_sqlmodel import BaseSQLModelCRUD
from src.models.role import Role


class RoleCRUD(BaseSQLModelCRUD[Role]):
    """Roles."""

    model: ClassVar[type[Role]] = Role

    async def by_codes(self, codes: Sequence[str]) -> Sequence[Role]:
        """The existing roles with these codes."""
        return (await self.session.exec(select(Role).where(col(Role.code).in_(codes)).order_by(Role.code))).all()

    async def by_ids(self, ids: Sequence[UUID]) -> Sequence[Role]:
        """The existing roles with these ids."""
        return (await self.session.exec(select(Role).where(col(Role.id).in_(ids)).order_by(Role.code))).all()
