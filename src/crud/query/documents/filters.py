"""MongoDB filters on one document class, from the filters of `src/core/list_filters.py`.

Values are left as they are: Beanie encodes them when the query runs.
"""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, get_args, get_origin

from beanie import Document, Link
from beanie.odm.registry import DocsRegistry
from bson import DBRef
from pydantic import BaseModel

from src.core.list_filters import OR, Where, split_filter
from src.crud.query.filter_values import checked_value, item_type

Filter = dict[str, Any]
# A document class. `type[Document]` is not hashable for mypy.
Model = Any

_INTEGER_BITS = 64

_FILTERS: dict[str, Callable[[Any], Any]] = {
    "eq": lambda value: value,
    "ne": lambda value: {"$ne": value},
    "in": lambda value: {"$in": value},
    "not_in": lambda value: {"$nin": value},
    "lt": lambda value: {"$lt": value},
    "lte": lambda value: {"$lte": value},
    "gt": lambda value: {"$gt": value},
    "gte": lambda value: {"$gte": value},
    "contains": lambda value: {"$regex": re.escape(value), "$options": "i"},
    "starts": lambda value: {"$regex": "^" + re.escape(value)},
    "ends": lambda value: {"$regex": re.escape(value) + r"\Z"},
    "ieq": lambda value: {"$regex": "^" + re.escape(value) + r"\Z", "$options": "i"},
    "null": lambda value: None if value else {"$ne": None},
}


def all_of(model: Model, where: Where) -> Filter:
    """The filter for the documents that pass all of these.

    Raises:
        ValueError: A field or an operator does not exist.
    """
    conditions = [
        _any_of(model, value) if name == OR else _condition(model, *split_filter(name), value)
        for name, value in where.items()
    ]
    return both(*conditions)


def both(*conditions: Filter) -> Filter:
    """The filter for documents that pass all of these; flat if possible, since some servers use no index in `$and`."""
    flat = {name: value for condition in conditions for name, value in condition.items()}
    return flat if len(flat) == sum(map(len, conditions)) else {"$and": list(conditions)}


def _any_of(model: Model, alternatives: Sequence[Where]) -> Filter:
    return {"$or": [all_of(model, where) for where in alternatives] or [{"_id": {"$in": []}}]}


def search(model: Model, names: Sequence[str], keyword: str) -> Filter:
    """The filter for the documents that contain the keyword in any of these fields."""
    return {"$or": [_condition(model, name, "contains", keyword) for name in names]}


def stored_path(model: Model, name: str) -> str:
    """Where MongoDB has a field: under its alias, and dotted if it belongs to a subdocument.

    Raises:
        ValueError: There is no such field.
    """
    return _resolve(model, name)[0]


def field_of(model: Model, path: str) -> str:
    """The field that MongoDB has under this path."""
    alias, dot, rest = path.partition(".")
    return next((name for name in model.model_fields if stored_path(model, name) == alias), alias) + dot + rest


def _condition(model: Model, name: str, operator: str, value: Any) -> Filter:
    path, kind, linked = _resolve(model, name)
    if linked is not None and operator != "null":
        value = _reference(linked, value)
    return {path: _FILTERS[operator](checked_value(name, operator, value, kind, _INTEGER_BITS))}


@lru_cache(maxsize=1000)
def _resolve(model: Model, name: str) -> tuple[str, Any, type[Document] | None]:
    """The path of a field, the type of its items, and the class that it links to."""
    path: list[str] = []
    kind: Any = model
    for part in name.split("."):
        if isinstance(kind, type) and issubclass(kind, BaseModel) and part in kind.model_fields:
            field = kind.model_fields[part]
            path.append(field.alias or part)
            kind = item_type(field.annotation)
        elif get_origin(kind) is dict:
            path.append(part)
            kind = item_type(get_args(kind)[1])
        elif kind in (Any, dict):
            path.append(part)
        elif not (get_origin(kind) is Link and part == "id"):
            raise ValueError(f"{model.__name__} has no field {name!r}.")
    linked: Any = DocsRegistry.evaluate_fr(get_args(kind)[0]) if get_origin(kind) is Link else None
    return ".".join(path), kind, linked


def _reference(linked: type[Document], value: Any) -> Any:
    """A document, a link or an id as links are stored."""
    if isinstance(value, Document | Link):
        return value.to_ref()  # type: ignore[no-untyped-call]  # Beanie's
    if isinstance(value, list | tuple | set | frozenset):
        return [_reference(linked, item) for item in value]
    return value if value is None else DBRef(linked.get_collection_name(), value)
