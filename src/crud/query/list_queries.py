"""List, page and cursor queries, shared by the SQL and MongoDB CRUD classes.

`ListQueries` returns instances of the model. `Projection` runs the same queries but selects only the fields of a schema
and returns instances of that schema, which is cheaper for rows that are only displayed.

`include` names the relations to load: `("customer", "lines.product")`. Lists take one further statement each.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, ClassVar, Generic, TypeVar, get_args

from pydantic import BaseModel, TypeAdapter
from typing_extensions import override

from src.core.list_filters import (
    COUNT_CAP,
    CursorRequest,
    PageRequest,
    QuerySpec,
    SortKey,
    Total,
    Where,
    combined,
    keyset_ranges,
    unique_order,
)
from src.crud.query.cursor import seal, unseal
from src.crud.query.row_shape import RowShape, shape_of

RowT = TypeVar("RowT")
SchemaT = TypeVar("SchemaT", bound=BaseModel)
# Inside the class, `list` is the method.
Rows = list[Any]


@dataclass(frozen=True, slots=True)
class Selection:
    """The rows to select.

    Attributes:
        after: A further filter, on the sort keys.
        shape: The fields to select as dictionaries; None selects model instances.
    """

    spec: QuerySpec
    keys: Sequence[SortKey]
    limit: int | None
    offset: int = 0
    after: Where | None = None
    shape: RowShape | None = None


class ListQueries(ABC, Generic[RowT]):
    """Queries that return many rows; subclasses implement `_select` and `_count` for one store.

    Attributes:
        model: The table or document class.
    """

    model: ClassVar[type[Any]]

    async def list(
        self,
        where: Where | None = None,
        *,
        order: Sequence[str] = (),
        limit: int | None = None,
        include: Sequence[str] = (),
    ) -> Sequence[RowT]:
        """The matching rows, oldest first by default."""
        spec = QuerySpec(where or {}, include=tuple(include))
        return self._convert(await self._select(Selection(spec, self._order(order), limit)))

    async def page(
        self, query: PageRequest, where: Where | None = None, *, include: Sequence[str] = ()
    ) -> tuple[Sequence[RowT], int | None]:
        """One page of the rows that match both `query` and `where`, and the total if the query asks for it."""
        spec = _with(query.spec(), where, include)
        offset = (query.page - 1) * query.page_size
        rows = await self._select(Selection(spec, self._order(spec.order), query.page_size, offset))
        return self._convert(rows), await self._total(query, spec, offset, len(rows))

    async def cursor(
        self, query: CursorRequest, where: Where | None = None, *, include: Sequence[str] = ()
    ) -> tuple[Sequence[RowT], str | None]:
        """The rows after the query's cursor that match both `query` and `where`, and the next cursor (None at the end).

        It costs the same at any depth.

        Raises:
            InvalidInputError: The cursor is invalid, or belongs to another list.
        """
        spec = _with(query.spec(), where, include)
        keys = self._order(spec.order)
        scope = self.cursor_scope(spec)
        selection = Selection(spec, keys, query.limit + 1)
        if query.cursor:
            types: Any = tuple.__class_getitem__(tuple(self.model.model_fields[key.name].annotation for key in keys))
            position = unseal(query.cursor, scope, types)
            rows = await self._select_after(selection, position)
        else:
            rows = await self._select(selection)
        if len(rows) <= query.limit:
            return self._convert(rows), None
        last = rows[query.limit - 1]
        next_cursor = seal([self._value(last, key.name) for key in keys], scope)
        return self._convert(rows[: query.limit]), next_cursor

    async def count(self, where: Where | None = None) -> int:
        """The number of matching rows."""
        return await self._count(QuerySpec(where or {}), None)

    def cursor_scope(self, spec: QuerySpec) -> object:
        """A cursor is only valid for the same model, filters and order."""
        return [self.model.__name__, spec.order, sorted(spec.where.items()), spec.keyword]

    def _order(self, order: Sequence[str]) -> tuple[SortKey, ...]:
        return unique_order(order, self._identity())

    def _identity(self) -> tuple[str, ...]:
        """The fields of the primary key."""
        return ("id",)

    async def _total(self, query: PageRequest, spec: QuerySpec, offset: int, length: int) -> int | None:
        if query.total is Total.NONE:
            return None
        if length < query.page_size and (length or offset == 0):
            return offset + length
        return await self._count(spec, COUNT_CAP + 1 if query.total is Total.CAPPED else None)

    @abstractmethod
    async def _select(self, selection: Selection) -> Sequence[Any]: ...

    async def _select_after(self, selection: Selection, position: Sequence[Any]) -> Sequence[Any]:
        """The rows after a position, read range by range until there are `limit` of them."""
        keys, limit = selection.keys, selection.limit or 0
        nullable = {key.name for key in keys if self._is_nullable(key.name)}
        rows: Rows = []
        for after in keyset_ranges(keys, position, nullable):
            rows += await self._select(replace(selection, after=after, limit=limit - len(rows)))
            if len(rows) == limit:
                break
        return rows

    @abstractmethod
    async def _count(self, spec: QuerySpec, cap: int | None) -> int: ...

    def _convert(self, rows: Sequence[Any]) -> Sequence[RowT]:
        """Selected rows as the caller gets them."""
        return rows

    def _value(self, row: Any, field: str) -> Any:
        return getattr(row, field)

    def _is_nullable(self, field: str) -> bool:
        return type(None) in get_args(self.model.model_fields[field].annotation)


class Projection(ListQueries[SchemaT]):
    """Queries that return instances of a schema, whose fields must all be fields or relations of the model.

    A relation is a field whose type is a schema, or a list of one. If it has a default, it needs an `include`.
    """

    def __init__(self, source: ListQueries[Any], schema: type[SchemaT], related: Callable[[Any, str], Any]) -> None:
        self.model = source.model  # type: ignore[misc]  # a class variable, which is set per instance here
        self._source = source
        self._schema = schema
        self._related = related
        self._adapter = _list_adapter(schema)

    @override
    async def _select(self, selection: Selection) -> Sequence[Any]:
        return await self._source._select(self._with_shape(selection))

    @override
    async def _select_after(self, selection: Selection, position: Sequence[Any]) -> Sequence[Any]:
        return await self._source._select_after(self._with_shape(selection), position)

    @override
    async def _count(self, spec: QuerySpec, cap: int | None) -> int:
        return await self._source._count(spec, cap)

    @override
    def _convert(self, rows: Sequence[Any]) -> Sequence[SchemaT]:
        converted: Sequence[SchemaT] = self._adapter.validate_python(rows)
        return converted

    @override
    def _value(self, row: Any, field: str) -> Any:
        return row[field]

    @override
    def _identity(self) -> tuple[str, ...]:
        return self._source._identity()

    def _with_shape(self, selection: Selection) -> Selection:
        """Select the schema's fields, and the sort keys among the others: a cursor is made of their values."""
        schema: Any = self._schema
        model: Any = self.model
        shape = shape_of(schema, model, selection.spec.include, self._related)
        return replace(selection, shape=shape.with_fields([key.name for key in selection.keys]))


def _with(spec: QuerySpec, where: Where | None, include: Sequence[str]) -> QuerySpec:
    if not where and not include:
        return spec
    return replace(spec, where=combined(spec.where, where or {}), include=(*spec.include, *include))


@cache
def _list_adapter(schema: Any) -> TypeAdapter[Any]:
    return TypeAdapter(list[schema])
