"""Where an endpoint is defined, for the messages of validation errors."""

import inspect
from collections.abc import Callable
from typing import Any

from fastapi.exceptions import EndpointContext
from starlette.requests import Request


class Endpoint:
    """The function behind a route.

    Args:
        call: The function.
        path: Its path template.
    """

    def __init__(self, call: Callable[..., Any], path: str) -> None:
        self._call = call
        self._path = path
        self._source: EndpointContext | None = None

    def context(self, request: Request) -> EndpointContext:
        """File, line, function, and the method and path of this request; the file is read once, when first needed."""
        if self._source is None:
            self._source = _find_source(self._call)
        mounted_at = request.scope.get("root_path", "").rstrip("/")
        return {**self._source, "path": f"{request.method} {mounted_at}{self._path}"}


def _find_source(call: Callable[..., Any]) -> EndpointContext:
    try:
        source = EndpointContext(line=inspect.getsourcelines(call)[1])
        if file := inspect.getsourcefile(call):
            source["file"] = file
    except (OSError, TypeError):  # it has no source
        return EndpointContext()
    if name := getattr(call, "__name__", None):
        source["function"] = name
    return source
