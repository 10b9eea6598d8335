from collections.abc import Callable, Sequence
from typing import Any

from fastapi import params
from fastapi.routing import APIRoute

from src.deps.audit import AUDIT_REQUEST

SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}


class AuditedRoute(APIRoute):
    """A route that records every request which may change something, also when its guards refuse it."""

    def __init__(
        self,
        path: str,
        endpoint: Callable[..., Any],
        *,
        methods: set[str] | list[str] | None = None,
        dependencies: Sequence[params.Depends] | None = None,
        **options: Any,
    ) -> None:
        guards = list(dependencies or ())
        if not SAFE_METHODS.issuperset(methods or {"GET"}):
            guards.insert(0, AUDIT_REQUEST)
        super().__init__(path, endpoint, methods=methods, dependencies=guards, **options)
