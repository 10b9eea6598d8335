"""Checks the fields of new and changed rows, and adds those that the mixins of models need."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from pydantic import BaseModel

from src.core.exceptions import ConflictError, PreconditionFailedError
from src.utils.date import utc_now

Fields = Mapping[str, Any]

# Set when a row is created, and never changed.
_IMMUTABLE = frozenset({"id", "create_time", "created_by", "version"})


class CheckedFields(ABC):
    """What CRUD classes do with the fields of rows before they are written.

    Attributes:
        model: The table or document class.
        actor_id: The calling user, written to the columns of `Authored` models.
    """

    model: ClassVar[type[Any]]
    actor_id: UUID | None

    @staticmethod
    @abstractmethod
    def _related(model: Any, name: str) -> Any:
        """The class that a relation leads to; None if there is no such relation."""

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

    def _same_fields(self, rows: Sequence[Fields], by: Sequence[str]) -> list[Fields]:
        """The rows, of which the last with the same key counts.

        Raises:
            ValueError: They have different fields, or lack the key.
        """
        names = set(rows[0])
        if not names.issuperset(by) or any(set(row) != names for row in rows):
            raise ValueError(f"All rows must have the same fields, with {', '.join(by)}.")
        return list({tuple(row[name] for name in by): row for row in rows}.values())

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

    def _check_version(self, row: Any, version: int | None) -> None:
        if version is not None and getattr(row, "version", version) != version:
            raise PreconditionFailedError

    @staticmethod
    def _changed_since_read(version: int | None) -> PreconditionFailedError | ConflictError:
        """The error to raise when the row was changed since it was read."""
        return ConflictError(error="resource.changed") if version is None else PreconditionFailedError()
