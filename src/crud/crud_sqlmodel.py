from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar
from uuid import UUID

from asyncpg import PostgresError
from pydantic import BaseModel as PydanticModel
from sqlalchemy import ColumnElement, Table, and_
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm.attributes import flag_modified
from sqlalchemy.orm.exc import StaleDataError
from sqlmodel import delete, select, update
from sqlmodel.ext.asyncio.session import AsyncSession
from typing_extensions import override

from src.core.list_filters import Where
from src.core.stores.sql import reload_expired
from src.crud.base import Fields, Key
from src.crud.query.bulk_insert import insert_rows, is_filled, values_by_field
from src.crud.query.constraints import table_violation
from src.crud.query.nested_create import create_nested
from src.crud.query.sql_reads import SQLReads
from src.models.base import BaseTable
from src.utils.date import utc_now

ModelT = TypeVar("ModelT", bound=BaseTable)


class BaseSQLModelCRUD(SQLReads[ModelT]):
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

    def build(self, fields: Fields) -> ModelT:
        """A row that is not inserted yet."""
        row: ModelT = self.model.model_validate(self._new_fields(fields))
        return row

    async def insert(self, rows: Sequence[ModelT]) -> None:
        """Insert rows from `build`."""
        async with self._writing():
            self.session.add_all(rows)
            await self.session.flush()

    @override
    async def create_many(self, rows: Sequence[Fields]) -> Sequence[UUID]:
        if not rows:
            return []
        self._refuse_unknown(set().union(*rows))
        times, authors = self._new_times(), self._author_fields()
        values = values_by_field(self.model, [{**times, **row, **authors} for row in rows])
        async with self._writing():
            await insert_rows(self.session, self.model, values)
        return values["id"]

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
    async def update_many(self, where: Where, changes: Fields) -> int:
        return await self._update(self._matches(where), self._checked_changes(changes))

    @override
    async def upsert(self, data: Fields, *, by: Sequence[str]) -> ModelT:
        fields = self._new_fields(data)
        new = self.model.model_validate(fields)
        columns = self._clauses.columns
        values = {column: getattr(new, name) for name, column in columns.items()}
        values = {column: value for column, value in values.items() if value is not None or not is_filled(column)}
        changes = self._updated_on_conflict({name: getattr(new, name) for name in fields}, by) | self._touch()
        if self._has("delete_time"):
            changes["delete_time"] = None
        by_column = {columns[name]: value for name, value in changes.items()}
        if self.session.get_bind().dialect.name == "mysql":
            from sqlalchemy.dialects import mysql  # imported here: slow, and rarely needed

            statement: Any = mysql.insert(self._table).values(values).on_duplicate_key_update(by_column)
        else:
            statement = postgresql.insert(self._table).values(values)
            statement = statement.on_conflict_do_update(
                index_elements=[columns[name] for name in by],
                # Matches a unique index of all rows as well.
                index_where=and_(*self._clauses.not_deleted()) if self._has("delete_time") else None,
                set_=by_column,
            )
        async with self._writing():
            await self.session.exec(statement)
        by_key = self._matches({name: getattr(new, name) for name in by})
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
    async def delete_many(self, where: Where) -> int:
        conditions = self._matches(where)
        if self._has("delete_time"):
            return await self._update(conditions, self._checked_changes({"delete_time": utc_now()}))
        return await self._purge(conditions)

    @override
    async def purge(self, row: ModelT) -> None:
        async with self._writing():
            await self.session.delete(row)
            await self.session.flush()

    @override
    async def purge_many(self, where: Where) -> int:
        return await self._purge(self._clauses.filters(where))

    async def _purge(self, conditions: Sequence[ColumnElement[bool]]) -> int:
        async with self._writing():
            return int((await self.session.exec(delete(self.model).where(*conditions))).rowcount)

    @override
    async def restore(self, key: Key) -> ModelT:
        row: ModelT | None = await self.session.get(self.model, key)
        if row is None or getattr(row, "delete_time", None) is None:
            raise self.not_found()
        return await self.update(row, {"delete_time": None})

    @asynccontextmanager
    async def _writing(self, version: int | None = None) -> AsyncIterator[None]:
        """A write that is undone if it fails: who catches its error can go on with the transaction and its rows."""
        is_first = not (self.session.in_transaction() or self.session.identity_map)
        try:
            # The first write needs no savepoint, which takes two round trips: there is nothing else to undo.
            async with _undo_all(self.session) if is_first else self.session.begin_nested():
                yield
        except (StaleDataError, DBAPIError, PostgresError) as error:
            await reload_expired(self.session)
            if isinstance(error, StaleDataError):
                raise self._changed_since_read(version) from error
            if violation := table_violation(self.model, error):
                raise violation from error
            raise

    async def _update(self, conditions: Sequence[ColumnElement[bool]], changes: Fields) -> int:
        statement = update(self.model).where(*conditions).values({**changes, **self._touch()})
        async with self._writing():
            # Matching rows that the session has loaded are expired, and reloaded when they are next used.
            result = await self.session.exec(statement.execution_options(synchronize_session="fetch"))
        return int(result.rowcount)

    def _touch(self) -> dict[str, Any]:
        """The columns that every change updates."""
        touched: dict[str, Any] = {"update_time": utc_now()}
        return touched | {"version": self.model.version + 1} if self._has("version") else touched

    @property
    def _table(self) -> Table:
        table: Table = self.model.__table__
        return table


@asynccontextmanager
async def _undo_all(session: AsyncSession) -> AsyncIterator[None]:
    """Roll the whole transaction back if the block raises."""
    try:
        yield
    except BaseException:
        await session.rollback()
        raise
