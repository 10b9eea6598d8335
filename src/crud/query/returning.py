"""The verbs for many rows, with the rows as their result."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from src.core.list_filters import Where
from src.crud.query.checked_fields import Fields

if TYPE_CHECKING:
    from src.crud.base import BaseCRUD

ModelT = TypeVar("ModelT")


class Returning(Generic[ModelT]):
    """`crud.returning`: `update_many` and others return the rows that they changed.

    PostgreSQL returns them with the statement that changes them, except those of `upsert_many`. In MySQL they are
    locked first. In MongoDB the documents are found, changed if they still match, and read again.
    """

    def __init__(self, crud: "BaseCRUD[ModelT]") -> None:
        self._crud = crud

    async def create_many(self, rows: Sequence[Fields]) -> Sequence[ModelT]:
        """Insert rows, and return them in the same order."""
        return await self._crud._create_returning(rows)

    async def update_many(self, where: Where, changes: Fields) -> Sequence[ModelT]:
        """Change all matching rows, and return them as they are now."""
        return await self._crud._update_returning(where, changes)

    async def delete_many(self, where: Where) -> Sequence[ModelT]:
        """Delete all matching rows, and return them."""
        return await self._crud._delete_returning(where)

    async def upsert_many(self, rows: Sequence[Fields], *, by: Sequence[str]) -> Sequence[ModelT]:
        """Insert or update rows, and return them in the same order."""
        new = await self._crud._upsert_many(rows, by) if rows else ()
        keys = [tuple(getattr(row, name) for name in by) for row in new]
        stored = await self._crud.list(with_keys(keys, by))
        found = {tuple(getattr(row, name) for name in by): row for row in stored}
        return [found[key] for key in keys]


def with_keys(keys: Sequence[tuple[Any, ...]], by: Sequence[str]) -> Where:
    """The filter for the rows with these values in the fields `by`."""
    if len(by) == 1:
        return {f"{by[0]}__in": [key[0] for key in keys]}
    return {"or": [dict(zip(by, key, strict=True)) for key in keys]}
