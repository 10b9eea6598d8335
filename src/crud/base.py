from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from datetime import datetime
from typing import Any, Self, TypeVar
from uuid import UUID

from pydantic import BaseModel

from src.core.exceptions import ConflictError, NotFoundError, PreconditionFailedError
from src.core.list_filters import Where
from src.crud.query.list_queries import ListQueries, Projection, SchemaT
from src.utils.date import utc_now

ModelT = TypeVar("ModelT")
Fields = Mapping[str, Any]
# The id of a row; of a table with a primary key of several columns, the tuple of their values.
Key = UUID | int | str | tuple[Any, ...]

# Set when a row is created, and never changed.
_IMMUTABLE = frozenset({"id", "create_time", "created_by", "version"})


class BaseCRUD(ListQueries[ModelT]):
    """The operations on one resource, the same for SQL and MongoDB. None of them commits.

    Values come from validated schemas: unknown fields raise `ValueError`, nothing else is validated here.
    A write that fails changes nothing, and the transaction goes on. A violated constraint raises `ConflictError`
    (unique keys, rows that are still referenced) or `InvalidInputError` (foreign keys, required values, checks), each
    with the field.

    Only `restore`, `with_deleted` and `purge_many` see soft-deleted rows. Some have no callers yet: they are for the
    features that you add.

    Attributes:
        actor_id: The calling user, written to the columns of `Authored` models.
    """

    actor_id: UUID | None
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
            await self._first({**self._by_key(key), **where}, include)
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
        return Projection(self, schema)

    @abstractmethod
    async def exists(self, where: Where | None = None) -> bool:
        """Whether any row matches."""

    @abstractmethod
    async def create(self, data: BaseModel | Fields) -> ModelT:
        """Insert a row; fields of relations have the fields of related rows, which are inserted with it."""

    @abstractmethod
    async def create_many(self, rows: Sequence[Fields]) -> Sequence[UUID]:
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
    async def upsert(self, data: Fields, *, by: Sequence[str]) -> ModelT:
        """Insert a row, or update the one with the same values in the fields `by`, which need a unique index."""

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

    def split_relations(self, data: BaseModel | Fields) -> tuple[dict[str, Any], dict[str, Any]]:
        """The fields of a new row, and the data of its related rows by relation."""
        fields = data.model_dump() if isinstance(data, BaseModel) else dict(data)
        names = [name for name in fields if self._related(self.model, name) is not None]
        related = {name: fields.pop(name) for name in names if self._is_data(name, fields[name])}
        return fields, {name: value for name, value in related.items() if value}

    def _is_data(self, name: str, value: Any) -> bool:
        if not value:
            return not self._has(name)
        return all(isinstance(item, Mapping) for item in (value if isinstance(value, list | tuple) else [value]))

    def _has(self, field: str) -> bool:
        return field in self.model.model_fields

    def _checked_changes(self, changes: Fields) -> dict[str, Any]:
        """The changes, with `updated_by` for `Authored` models."""
        unknown = [name for name in changes if name in _IMMUTABLE or not self._has(name)]
        if unknown:
            raise ValueError(f"{self.model.__name__} has no such field to change: {', '.join(unknown)}.")
        return {**changes, "updated_by": self.actor_id} if self._has("updated_by") else dict(changes)

    def _new_fields(self, data: BaseModel | Fields) -> dict[str, Any]:
        """The fields of a new row, with its author for `Authored` models."""
        fields = data.model_dump() if isinstance(data, BaseModel) else dict(data)
        self._refuse_unknown(fields)
        return self._new_times() | fields | self._author_fields()

    def _new_times(self) -> dict[str, Any]:
        """One moment for both times, so that a row that was never changed shows it."""
        now = self._now()
        return {name: now for name in ("create_time", "update_time") if self._has(name)}

    @staticmethod
    def _now() -> datetime:
        return utc_now()

    def _author_fields(self) -> dict[str, Any]:
        return {"created_by": self.actor_id, "updated_by": self.actor_id} if self._has("created_by") else {}

    def _refuse_unknown(self, fields: Iterable[str]) -> None:
        unknown = [name for name in fields if not self._has(name)]
        if unknown:
            raise ValueError(f"{self.model.__name__} has no such field: {', '.join(unknown)}.")

    @staticmethod
    def _updated_on_conflict(fields: Fields, by: Sequence[str]) -> dict[str, Any]:
        """The fields that an upsert changes in an existing row."""
        return {name: value for name, value in fields.items() if name not in _IMMUTABLE and name not in by}

    def _check_version(self, row: ModelT, version: int | None) -> None:
        if version is not None and getattr(row, "version", version) != version:
            raise PreconditionFailedError

    @staticmethod
    def _changed_since_read(version: int | None) -> PreconditionFailedError | ConflictError:
        """The error to raise when the row was changed since it was read."""
        return ConflictError(error="resource.changed") if version is None else PreconditionFailedError()
