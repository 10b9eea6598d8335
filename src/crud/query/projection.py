from collections.abc import Sequence
from functools import cache
from typing import Any, TypeVar

from pydantic import BaseModel, TypeAdapter
from typing_extensions import override

from src.core.query import QuerySpec, SortKey, Where
from src.crud.query.list_queries import BaseReading

ShapeT = TypeVar("ShapeT", bound=BaseModel)


class Projection(BaseReading[ShapeT]):
    """The rows of a resource as they are shown: fetched as plain values, and made into the schema by one call to it.

    A row of the model costs more than its query: it is for changing.
    """

    def __init__(self, rows: BaseReading[Any], shape: type[ShapeT]) -> None:
        self.model = rows.model  # type: ignore[misc]  # which the class does not know here
        self._rows = rows
        self._fields = tuple(shape.model_fields)
        self._made = _adapter(shape)

    @override
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
        fields = self._with(keys)
        return await self._rows._select(selection, keys, limit, offset=offset, after=after, fields=fields)

    @override
    async def _select_after(
        self,
        selection: QuerySpec,
        keys: Sequence[SortKey],
        position: Sequence[Any],
        limit: int,
        *,
        fields: Sequence[str] | None = None,
    ) -> Sequence[Any]:
        return await self._rows._select_after(selection, keys, position, limit, fields=self._with(keys))

    @override
    async def _count(self, selection: QuerySpec, cap: int | None) -> int:
        return await self._rows._count(selection, cap)

    @override
    def _shown(self, rows: Sequence[Any]) -> Sequence[ShapeT]:
        shown: Sequence[ShapeT] = self._made.validate_python(rows)
        return shown

    @override
    def _value(self, row: Any, field: str) -> Any:
        return row[field]

    def _with(self, keys: Sequence[SortKey]) -> tuple[str, ...]:
        """The shape's fields, and what a cursor needs beside them."""
        return (*self._fields, *(key.name for key in keys if key.name not in self._fields))


@cache
def _adapter(shape: Any) -> TypeAdapter[Any]:
    return TypeAdapter(list[shape])
