"""Which fields of a row to select, and of its related rows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from pydantic import BaseModel

from src.core.list_filters import nested_paths
from src.crud.query.filter_values import item_type


@dataclass(frozen=True, slots=True)
class RowShape:
    """The fields of a row, and its relations with the shapes of their rows."""

    fields: tuple[str, ...]
    relations: tuple[tuple[str, "RowShape"], ...] = ()

    def with_fields(self, names: Sequence[str]) -> "RowShape":
        """The shape with further fields."""
        further = [name for name in names if name not in self.fields]
        return replace(self, fields=(*self.fields, *further)) if further else self


@lru_cache(maxsize=1000)
def shape_of(schema: Any, model: Any, include: tuple[str, ...], related: Callable[[Any, str], Any]) -> RowShape:
    """The shape of the rows that a schema is made of.

    A field whose type is a schema is a relation. One with a default is only loaded if `include` names it.

    Args:
        schema: The schema.
        model: The class of the rows.
        include: Paths of relations.
        related: The class that a relation of a class leads to; None for what is no relation.

    Raises:
        ValueError: `include` names what the schema has not.
    """
    fields, relations, nested = [], [], nested_paths(include)
    for name, field in schema.model_fields.items():
        target = related(model, name)
        kind = item_type(field.annotation)
        if target is None or not (isinstance(kind, type) and issubclass(kind, BaseModel)):
            fields.append(name)
        elif field.is_required() or name in nested:
            relations.append((name, shape_of(kind, target, tuple(nested.get(name, ())), related)))
    unknown = nested.keys() - {name for name, _ in relations}
    if unknown:
        raise ValueError(f"{schema.__name__} has no relation {min(unknown)!r}.")
    return RowShape(tuple(fields), tuple(relations))
