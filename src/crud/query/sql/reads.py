"""The queries of `BaseSQLModelCRUD` that only read."""

from collections.abc import Sequence
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, literal
from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession
from typing_extensions import override

from src.core.list_filters import QuerySpec, SortKey, Where
from src.crud.base import BaseCRUD, Key
from src.crud.query.aggregates import Aggregate
from src.crud.query.list_queries import Selection
from src.crud.query.sql.aggregates import aggregate_statement
from src.crud.query.sql.clauses import TableClauses, identity_of
from src.crud.query.sql.nested_rows import layout_of, load_lists
from src.crud.query.sql.relations import relations_of
from src.crud.query.sql.statement_cache import select_count, select_rows
from src.models.base import BaseTable

ModelT = TypeVar("ModelT", bound=BaseTable)


class SQLReads(BaseCRUD[ModelT]):
    """The queries on one table, in the transaction of the session."""

    def __init__(self, session: AsyncSession, actor_id: UUID | None = None) -> None:
        self.session = session
        self.actor_id = actor_id

    @override
    async def find(self, key: Key, *, include: Sequence[str] = ()) -> ModelT | None:
        if include:
            return await self._first(self._by_key(key), include)
        row: ModelT | None = await self.session.get(self.model, key)
        is_hidden = getattr(row, "delete_time", None) is not None and not self._sees_deleted
        return None if is_hidden else row

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
        ordered = self._clauses.order(self._order(order))
        statement = select(self.model).where(*self._matches(where)).order_by(*ordered).limit(limit)
        locking = statement.with_for_update(skip_locked=skip_locked).execution_options(populate_existing=True)
        rows: Sequence[ModelT] = (await self.session.exec(locking)).all()
        return rows

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
        shape = selection.shape
        statement, parameters = select_rows(
            self._clauses, shape, selection.spec, selection.keys, selection.limit, selection.offset
        )
        if conditions:
            statement = statement.where(*conditions)
        result = await self.session.exec(statement, params=parameters)
        if shape is None:
            return [row for (row,) in result]
        rows = layout_of(self._clauses.model, shape).read(result)
        if shape.relations:
            await load_lists(self.session, self.model, shape, rows)
        return rows

    @override
    async def _count(self, spec: QuerySpec, cap: int | None) -> int:
        statement, parameters = select_count(self._clauses, spec, cap)
        return int((await self.session.exec(statement, params=parameters)).scalar_one())

    @override
    async def _aggregate(
        self, wanted: Sequence[Aggregate], by: Sequence[str], where: Where, keys: Sequence[SortKey], limit: int | None
    ) -> Sequence[dict[str, Any]]:
        result = await self.session.exec(aggregate_statement(self._clauses, wanted, by, where, keys, limit))
        groups = []
        for row in result:
            values = [one.value(value) for one, value in zip(wanted, row[len(by) :], strict=True)]
            groups.append(dict(zip((*by, *(one.name for one in wanted)), (*row[: len(by)], *values), strict=True)))
        return groups

    @override
    def _identity(self) -> tuple[str, ...]:
        return identity_of(self._clauses.model)

    @override
    @staticmethod
    def _related(model: Any, name: str) -> Any:
        relation = relations_of(model).get(name)
        return None if relation is None else relation.model

    def _matches(self, where: Where) -> list[ColumnElement[bool]]:
        return self._clauses.matches(where)

    @property
    def _clauses(self) -> TableClauses:
        return TableClauses(self.model, self._sees_deleted)
