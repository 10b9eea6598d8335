"""The HTTP parameters of one callable, read and validated by FastAPI's own functions."""

from collections.abc import Callable, Sequence
from typing import Any

from fastapi import params
from fastapi.dependencies.utils import analyze_param, request_body_to_args, request_params_to_args
from fastapi.exceptions import FastAPIError
from pydantic import PydanticUserError
from starlette.requests import HTTPConnection

from src.core.injection.errors import UnresolvableParameterError
from src.core.injection.parameters import Parameter

ModelField = Any
"""FastAPI's; it exports no name for it."""

Errors = list[dict[str, Any]]
"""Pydantic's errors, with a `loc` that starts at the source: `("query", "page")`."""


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

    __slots__ = ("_cookie", "_embed_body", "_header", "_path", "_query", "body")

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
        self._path = path
        self._query = query
        self._header = header
        self._cookie = cookie
        self.body = list(body)
        self._embed_body = embed_body

    def __bool__(self) -> bool:
        return bool(self._path or self._query or self._header or self._cookie or self.body)

    def read(self, connection: HTTPConnection, values: dict[str, Any]) -> Errors:
        """Add every parameter but those of the body to `values`; return what is wrong with the request."""
        errors: Errors = []
        if self._path:
            _add(request_params_to_args(self._path, connection.path_params), values, errors)
        if self._query:
            _add(request_params_to_args(self._query, connection.query_params), values, errors)
        if self._header:
            _add(request_params_to_args(self._header, connection.headers), values, errors)
        if self._cookie:
            _add(request_params_to_args(self._cookie, connection.cookies), values, errors)
        return errors

    async def read_body(self, body: Any, values: dict[str, Any]) -> Errors:
        """Add the parameters of a parsed body to `values`; return what is wrong with it."""
        errors: Errors = []
        _add(await request_body_to_args(self.body, body, self._embed_body), values, errors)
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
