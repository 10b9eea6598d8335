from collections.abc import Collection, Mapping, Sequence
from typing import Any, ClassVar

from sqlalchemy import or_
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, delete, select

from src.crud.crud_sqlmodel import BaseSQLModelCRUD
from src.models.permission_code import PermissionCode
from src.utils.date import utc_now


class PermissionCodeCRUD(BaseSQLModelCRUD[PermissionCode]):
    """The permission codes that roles can grant."""

    model: ClassVar[type[PermissionCode]] = PermissionCode

    async def unknown(self, codes: Collection[str]) -> set[str]:
        """Those of the codes that do not exist."""
        known = select(PermissionCode.code).where(col(PermissionCode.code).in_(codes))
        return set(codes).difference((await self.session.exec(known)).all()) if codes else set()

    async def replace(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Make the table contain exactly these rows; those that stay keep their ids.

        This runs at every start: making objects of the rows would take longer than the statements.
        """
        codes = [row["code"] for row in rows]
        await self.session.exec(delete(PermissionCode).where(col(PermissionCode.code).not_in(codes)))
        if not rows:
            return
        statement = insert(PermissionCode)
        columns = ("name", "description", "path", "methods", "tags")
        new = {name: statement.excluded[name] for name in columns}
        changed = [getattr(PermissionCode, name).is_distinct_from(new[name]) for name in columns]
        # Compiled once and executed per row.
        await (await self.session.connection()).execute(
            statement.on_conflict_do_update(
                index_elements=["code"], set_={**new, "update_time": utc_now()}, where=or_(*changed)
            ),
            rows,
        )
