from collections.abc import Sequence
from typing import ClassVar

from sqlalchemy import or_
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, delete

from src.crud.crud_sqlmodel import BaseSQLModelCRUD
from src.models.permission_code import PermissionCode
from src.utils.date import utc_now


class PermissionCodeCRUD(BaseSQLModelCRUD[PermissionCode]):
    """The registry of what can be granted."""

    model: ClassVar[type[PermissionCode]] = PermissionCode

    async def replace(self, routes: Sequence[PermissionCode]) -> None:
        """Make the table equal to the code; a row keeps its id for as long as its code exists."""
        await self.session.exec(
            delete(PermissionCode).where(col(PermissionCode.code).not_in([route.code for route in routes]))
        )
        if not routes:
            return
        statement = insert(PermissionCode)
        columns = ("name", "description", "path", "methods", "tags")
        new = {name: statement.excluded[name] for name in columns}
        changed = [getattr(PermissionCode, name).is_distinct_from(new[name]) for name in columns]
        # A row at a time on the wire, but compiled once: this is part of every start.
        await (await self.session.connection()).execute(
            statement.on_conflict_do_update(
                index_elements=["code"], set_={**new, "update_time": utc_now()}, where=or_(*changed)
            ),
            [route.model_dump() for route in routes],
        )
