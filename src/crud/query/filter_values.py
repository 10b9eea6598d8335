"""Checks the values of filters before a store does, so that both stores refuse the same ones, as 422."""

from collections.abc import Collection, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin
from uuid import UUID

from pydantic import TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel

from src.core.exceptions import InvalidInputError
from src.core.list_filters import TEXT_OPERATORS

_SCALARS = (bool, int, float, str, Decimal, UUID, datetime, date, timedelta, Enum)
_UNIONS = (Union, UnionType, Annotated)
_LISTS = (list, set, frozenset, tuple, Sequence)


def checked_value(field: str, operator: str, value: Any, kind: Any, bits: int) -> Any:
    """The value of a filter, as an instance of the field's type.

    Args:
        field: The name of the field.
        operator: The operator of the filter.
        value: The value, or for `in` and `not_in` the values. None is valid for all fields.
        kind: The type of the field, or of its items; see `item_type`.
        bits: The size of the field's integers.

    Raises:
        InvalidInputError: It is no value of this type, or too large for the store.
    """
    if operator == "null":
        return value
    if operator in ("in", "not_in"):
        if isinstance(value, str | bytes) or not isinstance(value, Collection):
            raise InvalidInputError(to_camel(field), f"{operator} needs several values.")
        return [_checked(field, item, kind, bits) for item in value]
    if operator in TEXT_OPERATORS and not (isinstance(value, str) and _is_text(kind)):
        raise InvalidInputError(to_camel(field), f"{operator} needs a text in a field of text.")
    return _checked(field, value, kind, bits)


def item_type(annotation: Any, *, of_lists: bool = True) -> Any:
    """The type of a field without None; of a list, the type of its items. Any if there are several."""
    origin = get_origin(annotation)
    if origin in _UNIONS or (origin in _LISTS and of_lists):
        kinds = [kind for kind in get_args(annotation) if kind not in (NoneType, Ellipsis)]
        several = len(kinds) > 1 and origin is not Annotated
        return Any if several else item_type(kinds[0], of_lists=of_lists)
    return annotation


def _checked(field: str, value: Any, kind: Any, bits: int) -> Any:
    if value is None or isinstance(value, list | dict):
        return value
    try:
        checked = _adapter(kind).validate_python(value) if _is_scalar(kind) else value
    except ValidationError as error:
        raise InvalidInputError(to_camel(field), error.errors()[0]["msg"]) from error
    if isinstance(checked, int) and not -(2 ** (bits - 1)) <= checked < 2 ** (bits - 1):
        raise InvalidInputError(to_camel(field), "The number is too large.")
    return checked


def _is_text(kind: Any) -> bool:
    return kind is Any or (isinstance(kind, type) and issubclass(kind, str))


def _is_scalar(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, _SCALARS)


@lru_cache(maxsize=1000)
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)
