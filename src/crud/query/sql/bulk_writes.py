"""The operations of `BaseSQLModelCRUD` on many rows, and how a failed write is undone."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from asyncpg import PostgresError
from sqlalchemy import ColumnElement, inspect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm.exc import StaleDataError
from sqlmodel import delete, select, update
from sqlmodel.ext.asyncio.session import AsyncSession
from typing_extensions import override

from src.core.exceptions import ConflictError
from src.core.list_filters import Where
from src.core.stores.sql import reload_expired
from src.crud.query.checked_fields import Fields
from src.crud.query.parts import in_statements, with_keys
from src.crud.query.sql.bulk_insert import insert_for_keys, insert_rows, is_assigned_by_database, values_by_field
from src.crud.query.sql.bulk_update import insertable, update_statement, upsert_statement
from src.crud.query.sql.constraints import table_violation
from src.crud.query.sql.reads import SQLReads
from src.models.base import BaseTable
from src.utils.date import utc_now

ModelT = TypeVar("ModelT", bound=BaseTable)


class SQLBulkWrites(SQLReads[ModelT]):
    """The operations on many rows of one table."""

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
    async def create_many(self, rows: Sequence[Fields]) -> Sequence[Any]:
        if not rows:
            return []
        self._refuse_unknown(set().union(*rows))
        times, authors = self._new_times(), self._author_fields()
        values = values_by_field(self.model, [{**times, **row, **authors} for row in rows])
        identity = self._identity()
        async with self._writing():
            if is_assigned_by_database(self.model, values):
                return await insert_for_keys(self.session, self.model, values)
            await insert_rows(self.session, self.model, values)
        keys = [values[name] for name in identity]
        return keys[0] if len(keys) == 1 else list(zip(*keys, strict=True))

    @override
    async def _create_returning(self, rows: Sequence[Fields]) -> Sequence[ModelT]:
        new = [self.build(row) for row in rows]
        await self.insert(new)
        return new

    @override
    async def update_many(self, where: Where, changes: Fields) -> int:
        return await self._change(self._update(self._matches(where), self._checked_changes(changes)))

    @override
    async def _update_returning(self, where: Where, changes: Fields) -> Sequence[ModelT]:
        return await self._changed_rows(where, self._update(self._matches(where), self._checked_changes(changes)))

    @override
    async def update_each(self, rows: Sequence[Fields], *, by: Sequence[str] = ()) -> int:
        if not rows:
            return 0
        by = by or self._identity()
        keys = [{name: row[name] for name in by} for row in rows]
        changes = [self._checked_changes({name: row[name] for name in row if name not in by}) for row in rows]
        complete = self._same_fields([key | change for key, change in zip(keys, changes, strict=True)], by)
        if self._dialect == "mysql":  # which has no UPDATE … FROM
            return sum([await self.update_many(key, change) for key, change in zip(keys, changes, strict=True)])
        number = 0
        for part in in_statements(complete, len(complete[0])):
            number += await self._change(update_statement(self._clauses, part, by, self._touch()))
        return number

    @override
    async def _upsert_many(self, rows: Sequence[Fields], by: Sequence[str]) -> Sequence[ModelT]:
        new = [self.build(row) for row in self._same_fields(rows, by)]
        for part in in_statements(new, len(self._clauses.columns)):
            await self._upsert(part, rows[0], by)
        keys = {tuple(getattr(row, name) for name in by) for row in new}
        for row in self.session:
            if isinstance(row, self.model) and tuple(row.__dict__.get(name) for name in by) in keys:
                self.session.expire(row, list(self._clauses.columns))
        await self._reload_expired()
        return new

    async def _upsert(self, new: Sequence[ModelT], given: Fields, by: Sequence[str]) -> None:
        names = list(self._updated_on_conflict({**given, **self._author_fields()}, by))
        touched = self._touch() | ({"delete_time": None} if self._has("delete_time") else {})
        rows = insertable(self._clauses, new)
        async with self._writing():
            await self.session.exec(upsert_statement(self._clauses, rows, by, names, touched, self._dialect))
            if self._dialect == "mysql":  # which also updates a row that has another of its unique keys
                keys = [tuple(getattr(row, name) for name in by) for row in new]
                if sum([await self.count(where) for where in with_keys(keys, by)]) < len(keys):
                    raise ConflictError

    @override
    async def delete_many(self, where: Where) -> int:
        return await self._change(self._deletion(where))

    @override
    async def _delete_returning(self, where: Where) -> Sequence[ModelT]:
        return await self._changed_rows(where, self._deletion(where))

    @override
    async def purge_many(self, where: Where) -> int:
        return await self._change(delete(self.model).where(*self._clauses.filters(where)))

    def _deletion(self, where: Where) -> Any:
        conditions = self._matches(where)
        if self._has("delete_time"):
            return self._update(conditions, self._checked_changes({"delete_time": utc_now()}))
        return delete(self.model).where(*conditions)

    def _update(self, conditions: Sequence[ColumnElement[bool]], changes: Fields) -> Any:
        return update(self.model).where(*conditions).values({**changes, **self._touch()})

    async def _changed_rows(self, where: Where, statement: Any) -> Sequence[ModelT]:
        """Execute an UPDATE or DELETE of the matching rows, and return them."""
        if self._dialect == "mysql":  # which has no RETURNING
            rows = await self.lock_rows(where)
            for found in self._with_identities(rows):
                await self._change(statement.where(*self._clauses.filters(found)))
            return rows
        options = {"synchronize_session": "fetch", "populate_existing": True}
        async with self._writing():
            result = await self.session.exec(statement.returning(self.model).execution_options(**options))
            changed: Sequence[ModelT] = result.scalars().all()
        return changed

    async def _change(self, statement: Any) -> int:
        """Execute an UPDATE or DELETE, and return the number of rows."""
        async with self._writing():
            # Matching rows that the session has loaded are changed as well, or expired.
            result = await self.session.exec(statement.execution_options(synchronize_session="fetch"))
        await self._reload_expired()
        return int(result.rowcount)

    async def _reload_expired(self) -> None:
        """Reload the rows that a statement may have changed, with one statement for all."""
        rows = [row for row in self.session if isinstance(row, self.model) and inspect(row).expired_attributes]
        for where in self._with_identities(rows):
            matching = self._clauses.filters(where)
            await self.session.exec(select(self.model).where(*matching).execution_options(populate_existing=True))

    def _with_identities(self, rows: Sequence[ModelT]) -> Iterator[Where]:
        return with_keys([inspect(row).identity or () for row in rows], self._identity())

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

    def _touch(self) -> dict[str, Any]:
        """The columns that every change updates."""
        touched: dict[str, Any] = {"update_time": utc_now()} if self._has("update_time") else {}
        return touched | {"version": self.model.version + 1} if self._has("version") else touched

    @property
    def _dialect(self) -> str:
        return str(self.session.get_bind().dialect.name)


@asynccontextmanager
async def _undo_all(session: AsyncSession) -> AsyncIterator[None]:
    """Roll the whole transaction back if the block raises."""
    try:
        yield
    except BaseException:
        await session.rollback()
        raise
