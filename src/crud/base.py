from abc import abstractmethod
from collections.abc import Sequence
from copy import copy
from typing import Any, Generic, Self, TypeVar
from uuid import UUID

from pydantic import BaseModel

from src.core.exceptions import NotFoundError
from src.core.list_filters import SortKey, Where, combined, unique_order
from src.crud.query.aggregates import Aggregate, aggregates
from src.crud.query.checked_fields import CheckedFields, Fields
from src.crud.query.list_queries import ListQueries, Projection, SchemaT
from src.crud.query.parts import with_keys

ModelT = TypeVar("ModelT")
# The id of a row; of a table with a primary key of several columns, the tuple of their values.
Key = UUID | int | str | tuple[Any, ...]


class BaseCRUD(CheckedFields, ListQueries[ModelT]):
    """The operations on one resource, the same for SQL and MongoDB. None of them commits.

    Values come from validated schemas: unknown fields raise `ValueError`, nothing else is validated here.
    A write that fails changes nothing, and the transaction goes on. A violated constraint raises `ConflictError`
    (unique keys, rows that are still referenced) or `InvalidInputError` (foreign keys, required values, checks), each
    with the field.

    Only `restore`, `with_deleted` and `purge_many` see soft-deleted rows. Some have no callers yet: they are for the
    features that you add.
    """

    _sees_deleted = False

    def with_deleted(self) -> Self:
        """The same operations, which see soft-deleted rows as well; `{"delete_time__null": False}` finds only them."""
        seeing = copy(self)
        seeing._sees_deleted = True
        return seeing

    @abstractmethod
    async def find(self, key: Key, *, include: Sequence[str] = ()) -> ModelT | None:
        """The row with this id, or None."""

    async def get(self, key: Key, where: Where | None = None, *, include: Sequence[str] = ()) -> ModelT:
        """The row with this id, if it matches `where`.

        Raises:
            NotFoundError: It does not exist, or does not match.
        """
        row = (
            await self._first(combined(self._by_key(key), where), include)
            if where
            else await self.find(key, include=include)
        )
        if row is None:
            raise self.not_found()
        return row

    async def _first(self, where: Where, include: Sequence[str]) -> ModelT | None:
        return next(iter(await self.list(where, limit=1, include=include)), None)

    def _by_key(self, key: Key) -> Fields:
        """The filter for the row with this id."""
        names = self._identity()
        values = key if isinstance(key, tuple) else (key,)
        return dict(zip(names, values, strict=True))

    def project(self, schema: type[SchemaT]) -> Projection[SchemaT]:
        """`list`, `page` and `cursor` with instances of a schema as the result, without loading the model."""
        return Projection(self, schema, self._related)

    @abstractmethod
    async def exists(self, where: Where | None = None) -> bool:
        """Whether any row matches."""

    async def aggregate(
        self,
        *names: str,
        by: Sequence[str] = (),
        where: Where | None = None,
        order: Sequence[str] = (),
        limit: int | None = None,
    ) -> Sequence[dict[str, Any]]:
        """Values of each group of matching rows: `aggregate("count", "total__sum", by=("status",))`.

        Args:
            names: `count`, or a field with `sum`, `min`, `max` or `avg`. Averages are floats, except of `Decimal`.
            by: The fields whose values make the groups; without, all rows are one.
            where: The filters of the rows.
            order: The fields of `by` and the names to sort by; by default those of `by`.
            limit: The maximum number of groups.

        Raises:
            ValueError: A field or an aggregate does not exist.
        """
        self._refuse_unknown(by)
        keys = unique_order(order or by, identity=())
        unknown = {key.name for key in keys} - {*names, *by}
        if unknown:
            raise ValueError(f"The groups have no {min(unknown)!r} to sort by.")
        return await self._aggregate(aggregates(self.model, names), by, where or {}, keys, limit)

    @abstractmethod
    async def _aggregate(
        self, wanted: Sequence[Aggregate], by: Sequence[str], where: Where, keys: Sequence[SortKey], limit: int | None
    ) -> Sequence[dict[str, Any]]: ...

    @abstractmethod
    async def create(self, data: BaseModel | Fields) -> ModelT:
        """Insert a row; fields of relations have the fields of related rows, which are inserted with it."""

    @abstractmethod
    async def create_many(self, rows: Sequence[Fields]) -> Sequence[Any]:
        """Insert rows with one statement, and return their ids in the same order; omitted fields get their defaults."""

    @abstractmethod
    async def update(self, row: ModelT, changes: Fields, *, version: int | None = None) -> ModelT:
        """Change a row, both in the store and in place.

        For `Versioned` models, `version` is the version that the caller based the change on; None for any.

        Raises:
            PreconditionFailedError: The row has another version.
            ConflictError: `version` is None and the row was changed since it was read.
        """

    @abstractmethod
    async def update_many(self, where: Where, changes: Fields) -> int:
        """Change all matching rows with one statement, and return their number."""

    @abstractmethod
    async def update_each(self, rows: Sequence[Fields], *, by: Sequence[str] = ()) -> int:
        """Change rows with one statement, each to values of its own, and return the number of those that exist.

        Args:
            rows: The changes, all of the same fields, with the fields `by`.
            by: The fields that find each row; by default the id.
        """

    @abstractmethod
    async def upsert(self, data: Fields, *, by: Sequence[str]) -> ModelT:
        """Insert a row, or update the one with the same values in the fields `by`, which need a unique index."""

    async def upsert_many(self, rows: Sequence[Fields], *, by: Sequence[str]) -> int:
        """`upsert` of many rows with one statement, and return their number.

        All have the same fields; of those with the same key, the last counts.
        """
        return len(await self._upsert_many(rows, by)) if rows else 0

    @abstractmethod
    async def _upsert_many(self, rows: Sequence[Fields], by: Sequence[str]) -> Sequence[ModelT]:
        """The new values as rows, which are not those of the store."""

    @property
    def returning(self) -> "Returning[ModelT]":
        """`create_many`, `update_many`, `delete_many` and `upsert_many` with the rows as their result."""
        return Returning(self)

    @abstractmethod
    async def _create_returning(self, rows: Sequence[Fields]) -> Sequence[ModelT]: ...

    @abstractmethod
    async def _update_returning(self, where: Where, changes: Fields) -> Sequence[ModelT]: ...

    @abstractmethod
    async def _delete_returning(self, where: Where) -> Sequence[ModelT]: ...

    @abstractmethod
    async def delete(self, row: ModelT) -> None:
        """Delete a row."""

    @abstractmethod
    async def delete_many(self, where: Where) -> int:
        """Delete all matching rows with one statement, and return their number."""

    @abstractmethod
    async def restore(self, key: Key) -> ModelT:
        """Undelete a row of a `SoftDelete` model.

        Raises:
            NotFoundError: No deleted row has this id.
        """

    @abstractmethod
    async def purge(self, row: ModelT) -> None:
        """Delete a row for good, also one of a `SoftDelete` model."""

    @abstractmethod
    async def purge_many(self, where: Where) -> int:
        """Delete all matching rows for good with one statement, soft-deleted ones as well, and return their number."""

    def not_found(self) -> NotFoundError:
        """The error to raise for a row that does not exist."""
        return NotFoundError(f"{self.model.__name__} not found.")


class Returning(Generic[ModelT]):
    """`crud.returning`: `update_many` and others return the rows that they changed.

    PostgreSQL returns them with the statement that changes them, except those of `upsert_many`. In MySQL they are
    locked first. In MongoDB the documents are found, changed if they still match, and read again.
    """

    def __init__(self, crud: BaseCRUD[ModelT]) -> None:
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
        stored = [row for where in with_keys(keys, by) for row in await self._crud.list(where)]
        found = {tuple(getattr(row, name) for name in by): row for row in stored}
        return [found[key] for key in keys]
