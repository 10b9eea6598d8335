from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar
from uuid import UUID

from pydantic import BaseModel

from src.core.exceptions import ConflictError, NotFoundError, PreconditionFailedError
from src.core.query import Where
from src.crud.query.list_queries import BaseReading
from src.crud.query.projection import Projection, ShapeT

ModelT = TypeVar("ModelT")
Fields = Mapping[str, Any]

# These never change once a row is there.
_FIXED = frozenset({"id", "create_time", "created_by", "version"})


class BaseCRUD(BaseReading[ModelT]):
    """The verbs of every resource, whatever store it is in. None commits.

    Values come from validated schemas: verbs refuse unknown fields with `ValueError`, and check nothing else of them.
    Rows of a `SoftDelete` model that are deleted are invisible to all verbs but `restore`.

    Attributes:
        actor_id: Who is calling, for the columns of `Authored`.
    """

    actor_id: UUID | None

    @abstractmethod
    async def find(self, key: UUID) -> ModelT | None:
        """The row, or None."""

    async def get(self, key: UUID) -> ModelT:
        """The row.

        Raises:
            NotFoundError: There is none.
        """
        row = await self.find(key)
        if row is None:
            raise self.missing()
        return row

    def shaped(self, shape: type[ShapeT]) -> Projection[ShapeT]:
        """The rows as they are shown, for lists; every field of the shape is one of the model's."""
        return Projection(self, shape)

    @abstractmethod
    async def exists(self, where: Where | None = None) -> bool:
        """Whether any row matches."""

    @abstractmethod
    async def create(self, data: BaseModel | Fields) -> ModelT:
        """Add a row.

        Raises:
            ConflictError: A unique key is taken.
        """

    @abstractmethod
    async def create_many(self, rows: Sequence[Fields]) -> Sequence[UUID]:
        """Add rows with one statement, and defaults for what they leave out; returns their ids, in order.

        Raises:
            ConflictError: A unique key is taken.
        """

    @abstractmethod
    async def update(self, row: ModelT, changes: Fields, *, version: int | None = None) -> ModelT:
        """Change a row, in the store and in place.

        Args:
            row: As it was read.
            changes: New values by field.
            version: That the caller has seen, of a `Versioned` model.

        Raises:
            PreconditionFailedError: The row has another version.
            ConflictError: A unique key is taken, or somebody changed the row meanwhile and no version was asked for.
        """

    @abstractmethod
    async def update_many(self, where: Where, changes: Fields) -> int:
        """Change all rows that match, with one statement; returns how many.

        Raises:
            ConflictError: A unique key is taken.
        """

    @abstractmethod
    async def upsert(self, data: Fields, *, by: Sequence[str]) -> ModelT:
        """Add a row, or change the given fields of the one with the same values in `by`, which need a unique index."""

    @abstractmethod
    async def delete(self, row: ModelT) -> None:
        """Remove a row."""

    @abstractmethod
    async def delete_many(self, where: Where) -> int:
        """Remove all rows that match, with one statement; returns how many."""

    @abstractmethod
    async def restore(self, key: UUID) -> ModelT:
        """Bring back a deleted row of a `SoftDelete` model.

        Raises:
            NotFoundError: There is no deleted row of that key.
        """

    def missing(self) -> NotFoundError:
        """What to raise for a row that is not there."""
        return NotFoundError(f"{self.model.__name__} not found.")

    def _has(self, field: str) -> bool:
        return field in self.model.model_fields

    def _known(self, changes: Fields) -> dict[str, Any]:
        """The changes, with their author where the model keeps one."""
        unknown = [name for name in changes if name in _FIXED or not self._has(name)]
        if unknown:
            raise ValueError(f"{self.model.__name__} has no such field to change: {', '.join(unknown)}.")
        return {**changes, "updated_by": self.actor_id} if self._has("updated_by") else dict(changes)

    def _new(self, data: BaseModel | Fields) -> dict[str, Any]:
        """The fields of a new row, with its author where the model keeps one."""
        fields = data.model_dump() if isinstance(data, BaseModel) else dict(data)
        self._refuse_unknown(fields)
        return fields | self._authors()

    def _authors(self) -> dict[str, Any]:
        """Who made the row, where the model keeps it."""
        return {"created_by": self.actor_id, "updated_by": self.actor_id} if self._has("created_by") else {}

    def _refuse_unknown(self, fields: Iterable[str]) -> None:
        unknown = [name for name in fields if not self._has(name)]
        if unknown:
            raise ValueError(f"{self.model.__name__} has no such field: {', '.join(unknown)}.")

    @staticmethod
    def _replaced(fields: Fields, by: Sequence[str]) -> dict[str, Any]:
        """What an upsert changes of a row that is there."""
        return {name: value for name, value in fields.items() if name not in _FIXED and name not in by}

    def _check_version(self, row: ModelT, version: int | None) -> None:
        if version is not None and getattr(row, "version", version) != version:
            raise PreconditionFailedError

    @staticmethod
    def _changed(version: int | None) -> PreconditionFailedError | ConflictError:
        """What to raise when somebody else was faster."""
        return ConflictError(error="resource.changed") if version is None else PreconditionFailedError()
