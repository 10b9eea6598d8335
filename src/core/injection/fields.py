"""The HTTP parameters of one callable, read and validated by FastAPI's own functions."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin
from uuid import UUID

from fastapi import params
from fastapi.dependencies.utils import analyze_param, request_body_to_args, request_params_to_args
from fastapi.exceptions import FastAPIError
from pydantic import Json, PydanticUserError
from starlette.datastructures import FormData, ImmutableMultiDict
from starlette.requests import HTTPConnection

from src.core.injection.errors import UnresolvableParameterError
from src.core.injection.parameters import Parameter
from src.utils.text import UNSTORABLE, find_unstorable, is_storable

_PLAIN = (str, int, float, Decimal, UUID, date, time, timedelta, Enum, NoneType)
_UNKNOWN: Any = object()

ModelField = Any
"""FastAPI's; it exports no name for it."""

Errors = list[dict[str, Any]]
"""Pydantic's errors, with a `loc` that starts at the source: `("query", "page")`."""


class _Source:
    """The parameters that one callable takes from one part of the request.

    FastAPI's function finds out anew for each request what a parameter is. A parameter with one name and a plain value,
    as most are, is looked up and validated here; one that is missing or takes another form is left to the function.
    """

    __slots__ = ("_attribute", "_name", "_parameters")

    def __init__(self, name: str, attribute: str, fields: Sequence[ModelField]) -> None:
        self._name = name
        self._attribute = attribute
        self._parameters = [(field, _plain_key(field), _plain_default(field)) for field in fields]

    def read(self, connection: HTTPConnection, values: dict[str, Any], errors: Errors) -> None:
        received: Mapping[str, Any] = getattr(connection, self._attribute)
        for field, key, default in self._parameters:
            value = None if key is None else received.get(key)
            if value is not None:
                validated, wrong = field.validate(value, values, loc=(self._name, key))
                if wrong:
                    errors += wrong
                elif isinstance(value, str) and not is_storable(value):
                    errors.append(_unstorable((self._name, key)))
                else:
                    values[field.name] = validated
            elif default is _UNKNOWN:
                _add(request_params_to_args([field], received), values, errors)
                errors += [_unstorable((self._name, *path)) for path in _unstorable_items(received)]
            else:
                values[field.name] = default


class Fields:
    """Path, query, header, cookie and body parameters that one callable takes.

    Args:
        path: Path parameters.
        query: Query parameters.
        header: Headers.
        cookie: Cookies.
        body: Parts of the body.
        embed_body: Whether each body parameter is a key of the body; otherwise the only one is all of it.
    """

    __slots__ = ("_embed_body", "_sources", "body")

    def __init__(
        self,
        *,
        path: Sequence[ModelField] = (),
        query: Sequence[ModelField] = (),
        header: Sequence[ModelField] = (),
        cookie: Sequence[ModelField] = (),
        body: Sequence[ModelField] = (),
        embed_body: bool = False,
    ) -> None:
        sources = (
            ("path", "path_params", path),
            ("query", "query_params", query),
            ("header", "headers", header),
            ("cookie", "cookies", cookie),
        )
        self._sources = [_Source(name, attribute, fields) for name, attribute, fields in sources if fields]
        self.body = list(body)
        self._embed_body = embed_body

    def __bool__(self) -> bool:
        return bool(self._sources or self.body)

    def read(self, connection: HTTPConnection, values: dict[str, Any]) -> Errors:
        """Add every parameter but those of the body to `values`; return what is wrong with the request."""
        errors: Errors = []
        for source in self._sources:
            source.read(connection, values, errors)
        return errors

    async def read_body(self, body: Any, values: dict[str, Any]) -> Errors:
        """Add the parameters of a parsed body to `values`; return what is wrong with it."""
        errors: Errors = []
        _add(await request_body_to_args(self.body, body, self._embed_body), values, errors)
        if not errors:
            paths = _unstorable_items(body) if isinstance(body, FormData) else [find_unstorable(body)]
            errors += [_unstorable(("body", *path)) for path in paths if path is not None]
        return errors


def compile_field(call: Callable[..., Any], parameter: Parameter) -> ModelField:
    """Compile a parameter that is marked with `Query`, `Header` or `Cookie`.

    Raises:
        UnresolvableParameterError: FastAPI refuses its declaration.
    """
    try:
        field = analyze_param(
            param_name=parameter.name,
            annotation=parameter.annotation,
            value=parameter.declared,
            path_param_names=set(),
        ).field
    except (AssertionError, FastAPIError, PydanticUserError) as error:
        raise UnresolvableParameterError(call, parameter.name, str(error)) from error
    if field is None:
        raise UnresolvableParameterError(call, parameter.name, f"{parameter.type!r} cannot be read from a connection")
    return field


def group_fields(fields: Sequence[ModelField]) -> Fields | None:
    """Sort compiled fields by their source; None when there are none."""
    sources = {
        source: [field for field in fields if isinstance(field.field_info, source)]
        for source in (params.Query, params.Header, params.Cookie)
    }
    grouped = Fields(query=sources[params.Query], header=sources[params.Header], cookie=sources[params.Cookie])
    return grouped or None


def _add(read: tuple[dict[str, Any], Errors], values: dict[str, Any], errors: Errors) -> None:
    values.update(read[0])
    errors += read[1]


def _unstorable(location: tuple[str | int | None, ...]) -> dict[str, Any]:
    """The error for text that no store accepts: it is refused whatever type the parameter has."""
    return {"type": "value_error", "loc": location, "msg": f"Value error, {UNSTORABLE}", "input": None}


def _unstorable_items(received: Mapping[str, Any]) -> list[tuple[str]]:
    """The names of parameters, or of files, that no store accepts, or whose values."""
    items = received.multi_items() if isinstance(received, ImmutableMultiDict) else received.items()
    texts = [(name, getattr(value, "filename", value) or "") for name, value in items]
    return [(name,) for name, text in texts if not (is_storable(name) and is_storable(str(text)))]


def _plain_key(field: ModelField) -> str | None:
    """The only name of a parameter whose value is one string; None for lists, models, JSON and several names."""
    info = field.field_info
    optional = get_origin(info.annotation) in (Union, UnionType)
    types: list[Any] = list(get_args(info.annotation)) if optional else [info.annotation]
    is_plain = all(inspect.isclass(type_) and issubclass(type_, _PLAIN) for type_ in types)
    has_one_name = isinstance(info.validation_alias, str | None) and not field.config
    is_json = any(type(item) is Json for item in info.metadata)
    return (field.validation_alias or field.alias) if is_plain and has_one_name and not is_json else None


def _plain_default(field: ModelField) -> Any:
    """The default of a parameter that is absent, if it need be neither copied nor validated."""
    info = field.field_info
    is_plain = _plain_key(field) is not None and info.default_factory is None and not info.validate_default
    return info.default if is_plain and isinstance(info.default, _PLAIN) else _UNKNOWN
