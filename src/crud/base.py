from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Generic, TypeVar, get_args
from uuid import UUID

from pydantic import BaseModel

from src.core.cursor import seal, unseal
from src.core.exceptions import ConflictError, NotFoundError, PreconditionFailedError
from src.core.query import (
    COUNT_CAP,
    CursorRequest,
    Key,
    PageRequest,
    Selection,
    Total,
    Where,
    stretches,
    unique_order,
)

ModelT = TypeVar("ModelT")
Fields = Mapping[str, Any]
# Inside the classes, `list` is a verb.
Rows = list[ModelT]

# These never change once a row is there.
_FIXED = frozenset({"id", "create_time", "created_by", "version"})


class BaseCRUD(ABC, Generic[ModelT]):
    """The verbs of every resource, whatever store it is in. None commits.

    Values come from validated schemas: verbs refuse unknown fields with `ValueError`, and check nothing else of them.
    Rows of a `SoftDelete` model that are deleted are invisible to all verbs but `restore`.

    Attributes:
        model: The table or document.
        actor_id: Who is calling, for the columns of `Authored`.
    """

    model: ClassVar[type[Any]]
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

    async def list(
        self, where: Where | None = None, *, order: Sequence[str] = (), limit: int | None = None
    ) -> Sequence[ModelT]:
        """The rows that match, oldest first unless ordered otherwise."""
        return await self._select(Selection(where or {}), unique_order(order), limit)

    async def page(self, query: PageRequest, where: Where | None = None) -> tuple[Sequence[ModelT], int | None]:
        """One page of the rows that match `where` as well, and how many there are, as far as the query asks for it."""
        selection = query.selection()
        selection = replace(selection, where={**selection.where, **(where or {})})
        first = (query.page - 1) * query.page_size
        rows = await self._select(selection, unique_order(selection.order), query.page_size, offset=first)
        if query.total is Total.NONE:
            return rows, None
        if len(rows) < query.page_size and (rows or first == 0):
            return rows, first + len(rows)
        return rows, await self._count(selection, COUNT_CAP + 1 if query.total is Total.CAPPED else None)

    async def cursor(self, query: CursorRequest) -> tuple[Sequence[ModelT], str | None]:
        """The rows after the query's cursor, and the cursor of those that follow; its cost is the same at any depth.

        Raises:
            InvalidInputError: The cursor was not made for this list.
        """
        selection = query.selection()
        keys = unique_order(selection.order)
        scope = self.scope(selection)
        types: Any = tuple.__class_getitem__(tuple(self.model.model_fields[key.name].annotation for key in keys))
        if query.cursor:
            position = unseal(query.cursor, scope, types)
            rows = await self._select_after(selection, keys, position, query.limit + 1)
        else:
            rows = await self._select(selection, keys, query.limit + 1)
        if len(rows) <= query.limit:
            return rows, None
        last = rows[query.limit - 1]
        return rows[: query.limit], seal([getattr(last, key.name) for key in keys], scope)

    def scope(self, selection: Selection) -> object:
        """What a cursor belongs to: the resource, the filters and the order."""
        return [self.model.__name__, selection.order, sorted(selection.where.items()), selection.keyword]

    async def count(self, where: Where | None = None) -> int:
        """How many rows match."""
        return await self._count(Selection(where or {}), None)

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
        """Change all rows that match, with one statement; returns how many."""

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

    @abstractmethod
    async def _select(
        self,
        selection: Selection,
        keys: Sequence[Key],
        limit: int | None,
        *,
        offset: int = 0,
        after: Where | None = None,
    ) -> Sequence[ModelT]: ...

    async def _select_after(
        self, selection: Selection, keys: Sequence[Key], position: Sequence[Any], limit: int
    ) -> Sequence[ModelT]:
        """The rows after a position: from where it is, on to the stretches behind it until there are enough."""
        nullable = {key.name for key in keys if self._is_nullable(key.name)}
        rows: Rows[ModelT] = []
        for after in stretches(keys, position, nullable):
            rows += await self._select(selection, keys, limit - len(rows), after=after)
            if len(rows) == limit:
                break
        return rows

    @abstractmethod
    async def _count(self, selection: Selection, cap: int | None) -> int: ...

    def missing(self) -> NotFoundError:
        """What to raise for a row that is not there."""
        return NotFoundError(f"{self.model.__name__} not found.")

    def _is_nullable(self, field: str) -> bool:
        return type(None) in get_args(self.model.model_fields[field].annotation)

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
