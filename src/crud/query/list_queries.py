from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar, Generic, TypeVar, get_args

from src.core.cursor import seal, unseal
from src.core.query import (
    COUNT_CAP,
    CursorRequest,
    PageRequest,
    QuerySpec,
    SortKey,
    Total,
    Where,
    keyset_ranges,
    unique_order,
)

RowT = TypeVar("RowT")
# Inside the class, `list` is a verb.
Rows = list[Any]


class BaseReading(ABC, Generic[RowT]):
    """The verbs that show many rows, whatever store they are in, and whatever is made of them.

    Attributes:
        model: The table or document.
    """

    model: ClassVar[type[Any]]

    async def list(
        self, where: Where | None = None, *, order: Sequence[str] = (), limit: int | None = None
    ) -> Sequence[RowT]:
        """The rows that match, oldest first unless ordered otherwise."""
        return self._shown(await self._select(QuerySpec(where or {}), unique_order(order), limit))

    async def page(self, query: PageRequest, where: Where | None = None) -> tuple[Sequence[RowT], int | None]:
        """One page of the rows that match `where` as well, and how many there are, as far as the query asks for it."""
        selection = query.selection()
        selection = replace(selection, where={**selection.where, **(where or {})})
        first = (query.page - 1) * query.page_size
        rows = await self._select(selection, unique_order(selection.order), query.page_size, offset=first)
        return self._shown(rows), await self._total(query, selection, first, len(rows))

    async def cursor(self, query: CursorRequest) -> tuple[Sequence[RowT], str | None]:
        """The rows after the query's cursor, and the cursor of those that follow; its cost is the same at any depth.

        Raises:
            InvalidInputError: The cursor was not made for this list.
        """
        selection = query.selection()
        keys = unique_order(selection.order)
        scope = self.scope(selection)
        if query.cursor:
            types: Any = tuple.__class_getitem__(tuple(self.model.model_fields[key.name].annotation for key in keys))
            position = unseal(query.cursor, scope, types)
            rows = await self._select_after(selection, keys, position, query.limit + 1)
        else:
            rows = await self._select(selection, keys, query.limit + 1)
        if len(rows) <= query.limit:
            return self._shown(rows), None
        last = rows[query.limit - 1]
        following = seal([self._value(last, key.name) for key in keys], scope)
        return self._shown(rows[: query.limit]), following

    def scope(self, selection: QuerySpec) -> object:
        """What a cursor belongs to: the resource, the filters and the order."""
        return [self.model.__name__, selection.order, sorted(selection.where.items()), selection.keyword]

    async def count(self, where: Where | None = None) -> int:
        """How many rows match."""
        return await self._count(QuerySpec(where or {}), None)

    async def _total(self, query: PageRequest, selection: QuerySpec, first: int, found: int) -> int | None:
        if query.total is Total.NONE:
            return None
        if found < query.page_size and (found or first == 0):
            return first + found
        return await self._count(selection, COUNT_CAP + 1 if query.total is Total.CAPPED else None)

    @abstractmethod
    async def _select(
        self,
        selection: QuerySpec,
        keys: Sequence[SortKey],
        limit: int | None,
        *,
        offset: int = 0,
        after: Where | None = None,
        fields: Sequence[str] | None = None,
    ) -> Sequence[Any]:
        """The rows, or the values of some of their fields."""

    async def _select_after(
        self,
        selection: QuerySpec,
        keys: Sequence[SortKey],
        position: Sequence[Any],
        limit: int,
        *,
        fields: Sequence[str] | None = None,
    ) -> Sequence[Any]:
        """The rows after a position: from where it is, on to the keyset_ranges behind it until there are enough."""
        nullable = {key.name for key in keys if self._is_nullable(key.name)}
        rows: Rows = []
        for after in keyset_ranges(keys, position, nullable):
            rows += await self._select(selection, keys, limit - len(rows), after=after, fields=fields)
            if len(rows) == limit:
                break
        return rows

    @abstractmethod
    async def _count(self, selection: QuerySpec, cap: int | None) -> int: ...

    def _shown(self, rows: Sequence[Any]) -> Sequence[RowT]:
        """What the caller gets of the rows."""
        return rows

    def _value(self, row: Any, field: str) -> Any:
        return getattr(row, field)

    def _is_nullable(self, field: str) -> bool:
        return type(None) in get_args(self.model.model_fields[field].annotation)
