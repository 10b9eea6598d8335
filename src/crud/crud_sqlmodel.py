from collections.abc import Sequence
from typing import Any, TypeVar

from pydantic import BaseModel as PydanticModel
from sqlalchemy.orm.attributes import flag_modified
from sqlmodel import select
from typing_extensions import override

from src.crud.base import Key
from src.crud.query.checked_fields import Fields
from src.crud.query.sql.bulk_writes import SQLBulkWrites
from src.crud.query.sql.clauses import TableClauses
from src.crud.query.sql.nested_create import create_nested
from src.models.base import BaseTable
from src.utils.date import utc_now

ModelT = TypeVar("ModelT", bound=BaseTable)


class BaseSQLModelCRUD(SQLBulkWrites[ModelT]):
    """The operations on one table, in the transaction of the session."""

    @override
    async def create(self, data: PydanticModel | Fields) -> ModelT:
        fields, related = self.split_relations(data)
        if related:
            async with self._writing():
                row: ModelT = (await create_nested(self, [data]))[0]
        else:
            row = self.build(fields)
            await self.insert([row])
        return row

    def of(self, model: type[Any]) -> "BaseSQLModelCRUD[Any]":
        """The operations on another table, in the same transaction."""
        crud: BaseSQLModelCRUD[Any] = BaseSQLModelCRUD(self.session, self.actor_id)
        crud.model = model  # type: ignore[misc]  # a class variable, which is set per instance here
        return crud

    @override
    async def update(self, row: ModelT, changes: Fields, *, version: int | None = None) -> ModelT:
        self._check_version(row, version)
        checked = self._checked_changes(changes)
        async with self._writing(version):
            for name, value in checked.items():
                setattr(row, name, value)
                if isinstance(value, dict | list):  # which may be the row's own, changed in place
                    flag_modified(row, name)
            await self.session.flush()
        return row

    @override
    async def upsert(self, data: Fields, *, by: Sequence[str]) -> ModelT:
        new = self.build(data)
        await self._upsert([new], data, by)
        by_key = TableClauses(self.model).matches({name: getattr(new, name) for name in by})
        stored = select(self.model).where(*by_key).execution_options(populate_existing=True)
        row: ModelT = (await self.session.exec(stored)).one()
        return row

    @override
    async def delete(self, row: ModelT) -> None:
        if self._has("delete_time"):
            await self.update(row, {"delete_time": utc_now()})
        else:
            await self.purge(row)

    @override
    async def purge(self, row: ModelT) -> None:
        async with self._writing():
            await self.session.delete(row)
            await self.session.flush()

    @override
    async def restore(self, key: Key) -> ModelT:
        row: ModelT | None = await self.session.get(self.model, key)
        if row is None or getattr(row, "delete_time", None) is None:
            raise self.not_found()
        return await self.update(row, {"delete_time": None})
