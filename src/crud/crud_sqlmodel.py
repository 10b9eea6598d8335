from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from uuid import UUID

from asyncpg import PostgresError
from pydantic import BaseModel as PydanticModel
from sqlalchemy import ColumnElement, and_, false, func, literal, or_, tuple_
from sqlalchemy.dialects import mysql, postgresql
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm.exc import StaleDataError
from sqlmodel import delete, select, update
from sqlmodel.ext.asyncio.session import AsyncSession
from typing_extensions import override

from src.core.query import Key, Selection, Where, later, split_filter, unique_order
from src.core.store_errors import as_conflict
from src.crud.base import BaseCRUD, Fields
from src.crud.bulk import insert_rows, with_defaults
from src.models.base import BaseModel
from src.utils.date import utc_now

ModelT = TypeVar("ModelT", bound=BaseModel)

_FILTERS: dict[str, Callable[[Any, Any], ColumnElement[bool]]] = {
    "eq": lambda column, value: column == value,
    "ne": lambda column, value: column.is_distinct_from(value),
    "in": lambda column, value: column.in_(value),
    "not_in": lambda column, value: or_(column.is_(None), column.not_in(value)),
    "lt": lambda column, value: column < value,
    "lte": lambda column, value: column <= value,
    "gt": lambda column, value: column > value,
    "gte": lambda column, value: column >= value,
    "contains": lambda column, value: column.icontains(value, autoescape=True),
    "starts": lambda column, value: column.startswith(value, autoescape=True),
    "null": lambda column, value: column.is_(None) if value else column.is_not(None),
}


class BaseSQLModelCRUD(BaseCRUD[ModelT]):
    """The verbs on one table, within the transaction of the session."""

    def __init__(self, session: AsyncSession, actor_id: UUID | None = None) -> None:
        self.session = session
        self.actor_id = actor_id

    @override
    async def find(self, key: UUID) -> ModelT | None:
        row: ModelT | None = await self.session.get(self.model, key)
        return None if row is None or getattr(row, "delete_time", None) is not None else row

    @override
    async def list(
        self, where: Where | None = None, *, order: Sequence[str] = (), limit: int | None = None
    ) -> Sequence[ModelT]:
        return await self._select(Selection(where or {}), unique_order(order), limit)

    @override
    async def exists(self, where: Where | None = None) -> bool:
        found = select(literal(1)).select_from(self.model).where(*self._where(Selection(where or {}))).limit(1)
        return (await self.session.exec(found)).first() is not None

    @override
    async def create(self, data: PydanticModel | Fields) -> ModelT:
        row: ModelT = self.model.model_validate(self._new(data))
        self.session.add(row)
        await self._flush()
        return row

    @override
    async def create_many(self, rows: Sequence[Fields]) -> Sequence[UUID]:
        if not rows:
            return []
        complete = with_defaults(self.model.__table__, [self._new(row) for row in rows])
        try:
            await insert_rows(self.session, self.model.__table__, complete)
        except (PostgresError, IntegrityError) as error:
            raise as_conflict(error) or error from error
        return [row["id"] for row in complete]

    @override
    async def update(self, row: ModelT, changes: Fields, *, version: int | None = None) -> ModelT:
        self._check_version(row, version)
        for name, value in self._known(changes).items():
            setattr(row, name, value)
        await self._flush(version)
        return row

    @override
    async def update_many(self, where: Where, changes: Fields) -> int:
        return await self._update(self._where(Selection(where)), self._known(changes))

    @override
    async def upsert(self, data: Fields, *, by: Sequence[str]) -> ModelT:
        fields = self._new(data)
        values = with_defaults(self.model.__table__, [fields])[0]
        kept = {*by, "id", "create_time", "created_by", "version"}
        changes = {name: value for name, value in fields.items() if name not in kept} | self._touch()
        if self._has("delete_time"):
            changes["delete_time"] = None
        if self.session.get_bind().dialect.name == "mysql":
            replacing = mysql.insert(self.model).values(values).on_duplicate_key_update(changes)
            await self.session.exec(replacing)
        else:
            inserting = postgresql.insert(self.model).values(values)
            await self.session.exec(inserting.on_conflict_do_update(index_elements=by, set_=changes))
        same = [getattr(self.model, name) == values[name] for name in by]
        found = select(self.model).where(*same).execution_options(populate_existing=True)
        row: ModelT = (await self.session.exec(found)).one()
        return row

    @override
    async def delete(self, row: ModelT) -> None:
        if self._has("delete_time"):
            await self.update(row, {"delete_time": utc_now()})
        else:
            await self.session.delete(row)
            await self._flush()

    @override
    async def delete_many(self, where: Where) -> int:
        conditions = self._where(Selection(where))
        if self._has("delete_time"):
            return await self._update(conditions, self._known({"delete_time": utc_now()}))
        return int((await self.session.exec(delete(self.model).where(*conditions))).rowcount)

    @override
    async def restore(self, key: UUID) -> ModelT:
        row: ModelT | None = await self.session.get(self.model, key)
        if row is None or getattr(row, "delete_time", None) is None:
            raise self.missing()
        return await self.update(row, {"delete_time": None})

    async def _flush(self, version: int | None = None) -> None:
        try:
            await self.session.flush()
        except StaleDataError as error:
            raise self._changed(version) from error
        except IntegrityError as error:
            raise as_conflict(error) or error from error

    async def _update(self, conditions: Sequence[ColumnElement[bool]], changes: Fields) -> int:
        statement = update(self.model).where(*conditions).values({**changes, **self._touch()})
        # Rows that the session holds are read anew when they are next used.
        result = await self.session.exec(statement.execution_options(synchronize_session="fetch"))
        return int(result.rowcount)

    def _touch(self) -> dict[str, Any]:
        """What changes with every change."""
        touched: dict[str, Any] = {"update_time": utc_now()}
        return touched | {"version": self.model.version + 1} if self._has("version") else touched

    @override
    async def _select(
        self,
        selection: Selection,
        keys: Sequence[Key],
        limit: int | None,
        *,
        offset: int = 0,
        after: tuple[Any, ...] | None = None,
    ) -> Sequence[ModelT]:
        conditions = self._where(selection)
        if after is not None:
            conditions = [*conditions, self._later(keys, after)]
        statement = select(self.model).where(*conditions).order_by(*map(self._ordered, keys)).limit(limit)
        if offset:
            statement = statement.offset(offset)
        rows: Sequence[ModelT] = (await self.session.exec(statement)).all()
        return rows

    @override
    async def _count(self, selection: Selection, cap: int | None) -> int:
        conditions = self._where(selection)
        if cap is None:
            counted = select(func.count()).select_from(self.model).where(*conditions)
        else:
            some = select(literal(1)).select_from(self.model).where(*conditions).limit(cap)
            counted = select(func.count()).select_from(some.subquery())
        return (await self.session.exec(counted)).one()

    def _where(self, selection: Selection) -> Sequence[ColumnElement[bool]]:
        conditions = []
        for name, value in selection.where.items():
            field, operator = split_filter(name)
            conditions.append(_FILTERS[operator](self._column(field), value))
        if selection.keyword:
            conditions.append(
                or_(*(_FILTERS["contains"](self._column(name), selection.keyword) for name in selection.searched))
            )
        if self._has("delete_time"):
            conditions.append(self.model.delete_time.is_(None))
        return conditions

    def _column(self, name: str) -> Any:
        if not self._has(name):
            raise ValueError(f"{self.model.__name__} has no field {name!r}.")
        return getattr(self.model, name)

    def _ordered(self, key: Key) -> Any:
        column = self._column(key.name)
        ordered = column.desc() if key.descending else column.asc()
        if not self._nullable(key):
            return ordered
        return ordered.nulls_last() if key.descending else ordered.nulls_first()

    def _nullable(self, key: Key) -> bool:
        return bool(self.model.__table__.c[key.name].nullable)

    def _later(self, keys: Sequence[Key], position: Sequence[Any]) -> ColumnElement[bool]:
        columns = [self._column(key.name) for key in keys]
        descending = {key.descending for key in keys}
        if len(descending) == 1 and not any(map(self._nullable, keys)):
            bound = tuple_(*(literal(value, column.type) for column, value in zip(columns, position, strict=True)))
            return tuple_(*columns) < bound if descending.pop() else tuple_(*columns) > bound
        return later(keys, position, self._beyond, self._same, lambda more, equal, rest: or_(more, and_(equal, rest)))

    def _beyond(self, key: Key, value: Any) -> ColumnElement[bool]:
        """Missing values come first, as in MongoDB."""
        column = self._column(key.name)
        if value is None:
            return false() if key.descending else _FILTERS["null"](column, False)
        if not key.descending:
            return _FILTERS["gt"](column, value)
        return or_(column < value, column.is_(None)) if self._nullable(key) else _FILTERS["lt"](column, value)

    def _same(self, key: Key, value: Any) -> ColumnElement[bool]:
        return _FILTERS["eq"](self._column(key.name), value)
