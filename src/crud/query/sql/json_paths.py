"""Filters on what is inside a JSON column, in SQL/JSON path language (PostgreSQL): `data.address.city__starts`.

They mean what MongoDB means by them: a value of another type does not match, and a list matches by any of its items.
A GIN index on the column serves them.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

from pydantic.alias_generators import to_camel
from pydantic_core import to_json
from sqlalchemy import JSON, Column, ColumnElement, and_, cast, false, func, literal, not_, or_
from sqlalchemy.dialects.postgresql import JSONB, JSONPATH

from src.core.exceptions import InvalidInputError

_COMPARISONS = {"eq": "==", "ne": "==", "lt": "<", "lte": "<=", "gt": ">", "gte": ">="}
_EXISTS = "strict {} ? (@ != null)"


def is_json(column: Column[Any]) -> bool:
    """Whether a column has JSON."""
    return isinstance(column.type, JSON)


def json_path(field: str, operator: str, value: Any) -> str:
    """The path that finds what passes a filter; `ne` and `not_in` find the opposite.

    Raises:
        InvalidInputError: The value is none that can be compared.
    """
    path = "$" + "".join(f"[{part}]" if part.isdecimal() else f".{_literal(part)}" for part in field.split(".")[1:])
    if operator == "null" or value is None:
        return _EXISTS.format(path)
    if operator in ("in", "not_in"):
        tests = [f"@ == {_literal(_scalar(field, item))}" for item in value if item is not None]
        return f"{path} ? ({' || '.join(tests) or '1 == 0'})"
    if operator in _COMPARISONS:
        return f"{path} ? (@ {_COMPARISONS[operator]} {_literal(_scalar(field, value))})"
    if not isinstance(value, str):
        raise InvalidInputError(to_camel(field), f"{operator} needs a text.")
    text = {
        "starts": lambda: f"starts with {_literal(value)}",
        "ends": lambda: f"like_regex {_literal(re.escape(value) + '$')}",
        "contains": lambda: f'like_regex {_literal(re.escape(value))} flag "i"',
        "ieq": lambda: f'like_regex {_literal("^" + re.escape(value) + "$")} flag "i"',
    }
    return f"{path} ? (@ {text[operator]()})"


def json_filter(column: Column[Any], field: str, condition: str, value: Any) -> ColumnElement[bool]:
    """The condition of one filter; `value` is its path or a bind parameter, None, or the value of `null`."""
    exists = _finds(column, literal(json_path(field, "null", True), JSONPATH()))
    if condition == "null" or value is None:
        is_absent = value if condition == "null" else condition != "ne"
        return _not(exists) if is_absent else exists
    found = _finds(column, value)
    conditions: dict[str, Callable[[], ColumnElement[bool]]] = {
        "ne": lambda: _not(found),
        "not_in": lambda: _not(found),
        "in_or_null": lambda: or_(_not(exists), found),
        "not_in_or_null": lambda: and_(exists, _not(found)),
    }
    return conditions.get(condition, lambda: found)()


def json_text(column: Column[Any], path: str) -> ColumnElement[str]:
    """What is at a path, as text."""
    text: ColumnElement[str] = column[tuple(path.split("."))].as_string()
    return text


def _finds(column: Column[Any], path: Any) -> ColumnElement[bool]:
    finds: ColumnElement[bool] = cast(column, JSONB).path_exists(path)
    return finds


def _not(found: ColumnElement[bool]) -> ColumnElement[bool]:
    return not_(func.coalesce(found, false()))


def _scalar(field: str, value: Any) -> Any:
    if isinstance(value, Sequence | dict) and not isinstance(value, str):
        raise InvalidInputError(to_camel(field), "Only single values can be compared.")
    return value


def _literal(value: Any) -> str:
    return to_json(value).decode()
