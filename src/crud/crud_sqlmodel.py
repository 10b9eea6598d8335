from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar
from uuid import UUID

from asyncpg import PostgresError
from pydantic import BaseModel as PydanticModel
from sqlalchemy import ColumnElement, Table, and_, literal
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm.attributes import flag_modified
from sqlalchemy.orm.exc import StaleDataError
from sqlmodel import delete, select, update
from sqlmodel.ext.asyncio.session import AsyncSession
from typing_extensions import override

from src.core.list_filters import QuerySpec, Where, unique_order
from src.core.stores.sql import reload_expired
from src.crud.base import BaseCRUD, Fields
from src.crud.query.bulk_insert import insert_rows, is_filled, values_by_field
from src.crud.query.constraints import table_violation
from src.crud.query.list_queries import Selection
from src.crud.query.sql_clauses import TableClauses
from src.crud.query.statement_cache import select_count, select_rows
from src.models.base import BaseModel
from src.utils.date import utc_now

ModelT = TypeVar("ModelT", bound=BaseModel)


class BaseSQLModelCRUD(BaseCRUD[ModelT]):
    """The operations on one table, in the transaction of the session."""

    def __init__(self, session: AsyncSession, actor_id: UUID | None = None) -> None:
        self.session = session
        self.actor_id = actor_id

    @override
    async def find(self, key: UUID) -> ModelT | None:
        row: ModelT | None = await self.session.get(self.model, key)
        return None if row is None or getattr(row, "delete_time", None) is not None else row

    @override
    async def exists(self, where: Where | None = None) -> bool:
        statement = select(literal(1)).select_from(self.model).where(*self._matches(where or {})).limit(1)
        return (await self.session.exec(statement)).first() is not None

    async def lock_rows(
        self, where: Where, *, order: Sequence[str] = (), limit: int | None = None, skip_locked: bool = False
    ) -> Sequence[ModelT]:
        """The matching rows as they are now, locked until the transaction ends; waits for those that others hold.

        Args:
            where: The filters.
            order: The order in which they are locked: the same everywhere, so that two callers cannot deadlock.
            limit: The maximum number of rows.
            skip_locked: Leave out the rows that others have locked, for example to share a queue.
        """
        keys = unique_order(order)
        statement = select(self.model).where(*self._matches(where)).order_by(*self._clauses.order(keys)).limit(limit)
        locking = statement.with_for_update(skip_locked=skip_locked).execution_options(populate_existing=True)
        rows: Sequence[ModelT] = (await self.session.exec(locking)).all()
        return rows

    @override
    async def create(self, data: PydanticModel | Fields) -> ModelT:
        row: ModelT = self.model.model_validate(self._new_fields(data))
        async with self._writing():
            self.session.add(row)
            await self.session.flush()
        return row

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
            async with self._writing():
                await self.session.delete(row)
                await self.session.flush()

    @override
    async def delete_many(self, where: Where) -> int:
        conditions = self._matches(where)
        if self._has("delete_time"):
            return await self._update(conditions, self._checked_changes({"delete_time": utc_now()}))
        async with self._writing():
            return int((await self.session.exec(delete(self.model).where(*conditions))).rowcount)

    @override
    async def restore(self, key: UUID) -> ModelT:
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

    @override
    async def _select(self, selection: Selection) -> Sequence[Any]:
        return await self._rows(selection, self._clauses.filters(selection.after) if selection.after else [])

    @override
    async def _select_after(self, selection: Selection, position: Sequence[Any]) -> Sequence[Any]:
        condition = self._clauses.after(selection.keys, position)
        if condition is None:
            return await super()._select_after(selection, position)
        return await self._rows(selection, [condition])

    async def _rows(self, selection: Selection, conditions: Sequence[ColumnElement[bool]]) -> Sequence[Any]:
        names = None if selection.fields is None else tuple(selection.fields)
        statement, parameters = select_rows(
            self.model, names, selection.spec, selection.keys, selection.limit, selection.offset
        )
        if conditions:
            statement = statement.where(*conditions)
        result = await self.session.exec(statement, params=parameters)
        if names is None:
            return [row for (row,) in result]
        return [dict(zip(names, row, strict=True)) for row in result]

    @override
    async def _count(self, spec: QuerySpec, cap: int | None) -> int:
        statement, parameters = select_count(self.model, spec, cap)
        return int((await self.session.exec(statement, params=parameters)).scalar_one())

    def _matches(self, where: Where) -> list[ColumnElement[bool]]:
        return self._clauses.matches(where)

    @property
    def _clauses(self) -> TableClauses:
        return TableClauses(self.model)

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
