"""Permission codes: `METHOD:/path/{template}` of routes, `SOCKET:<event>` of events, `noun.verb` of declared ones."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts
from starlette.types import Scope

from src.core.security.access import Access
from src.utils.docstring import first_line


@dataclass(frozen=True, slots=True)
class RouteInfo:
    """A route for one method, an event, or a declared permission.

    Attributes:
        code: The permission code that guards it.
        name: The name of its function, or of the event or permission.
        description: The first line of its docstring.
        path: The path template with every prefix; of others, the name.
        methods: The method; a list, since `GET /router/backend` shows one.
        tags: Its groups in the OpenAPI document.
    """

    code: str
    name: str
    description: str
    path: str
    methods: list[str]
    tags: list[str]


class RouteRegistry:
    """Finds the permission code of a request, and lists all codes.

    Args:
        app: Its routes get codes.
        prefix: Only paths that start with it get one.

    Raises:
        RuntimeError: A function serves two paths, or a path has two functions.
    """

    def __init__(self, app: FastAPI, prefix: str = "/api") -> None:
        self._codes: dict[tuple[Callable[..., Any] | None, str], str] = {}
        self._calls: dict[str, set[Callable[..., Any]]] = {}
        self._access: dict[str, Access] = {}
        self._others: set[str] = set()
        self.routes: list[RouteInfo] = []
        self.permissions: list[RouteInfo] = []
        for route in iter_route_contexts(app.routes):
            if isinstance(route.original_route, APIRoute) and str(route.path_format).startswith(prefix):
                self._add(route)
            elif route.path is not None:
                self._others.add(route.path)
        pages = {app.openapi_url, app.docs_url, app.redoc_url, app.swagger_ui_oauth2_redirect_url}
        self._others -= {page for page in pages if page}

    def _add(self, route: RouteContext) -> None:
        calls = set(_calls(route.dependant))
        endpoint = route.endpoint
        assert endpoint is not None  # noqa: S101 - an APIRoute has one
        for method in sorted(route.methods or ()):
            # HEAD tells less than GET, which it takes the code of; its function has to be the same.
            code = f"{'GET' if method == 'HEAD' else method}:{route.path_format}"
            if method == "HEAD" and self._codes.get((endpoint, "GET")) == code:
                self._codes[endpoint, method] = code
                self._calls[code] &= calls
                continue
            if (endpoint, method) in self._codes:
                raise RuntimeError(f"{code}: its function already serves {self._codes[endpoint, method]}.")
            if code in self._calls:
                raise RuntimeError(f"{code} is served by two functions.")
            self._codes[endpoint, method] = code
            self._calls[code] = calls
            self._access[code] = Access.PERMISSION  # until `check_guards` has looked
            tags = [str(tag) for tag in route.tags]
            self.routes.append(RouteInfo(code, str(route.name), first_line(endpoint), str(route.path), [method], tags))

    def find_code(self, scope: Scope) -> str | None:
        """The code of a matched request or of a Socket.IO event; None when it has none."""
        event: str | None = scope.get("socket_event")
        if event is not None:
            return f"SOCKET:{event}"
        return self._codes.get((scope.get("endpoint"), scope["method"]))

    def add_event(self, event: str, description: str, *, guarded_by: Collection[Callable[..., Any]]) -> None:
        """Add a Socket.IO event; `guarded_by` are the callables of its dependency tree."""
        code = f"SOCKET:{event}"
        self._calls[code] = set(guarded_by)
        self._access[code] = Access.PERMISSION
        self.routes.append(RouteInfo(code, event, description, event, ["SOCKET"], ["Socket.IO"]))

    def add_permission(self, code: str, description: str) -> None:
        """Add a permission that is no route or event, declared with `declare_permission`."""
        self._access[code] = Access.PERMISSION
        self.permissions.append(RouteInfo(code, code, description, code, ["PERMISSION"], ["Permission"]))

    def access_to(self, code: str) -> Access | None:
        """What the guards of a route or event require; None if no route, event or permission has the code.

        Needs `check_guards`.
        """
        return self._access.get(code)

    @property
    def grantable(self) -> list[RouteInfo]:
        """The routes, events and permissions that roles can grant. Needs `check_guards`."""
        guarded = [route for route in self.routes if self._access[route.code] is Access.PERMISSION]
        return guarded + self.permissions

    def check_guards(
        self,
        *,
        permission: Callable[..., Any],
        sessions: Collection[Callable[..., Any]],
        audit: Callable[..., Any],
        public: Collection[str],
        session_routes: Collection[str],
        outside: Collection[str] = (),
    ) -> None:
        """Deny by default: every route requires its permission code, or is listed and guarded as listed.

        Args:
            permission: The dependency that requires the route's own code.
            sessions: The dependencies that require a live session; one of them is all that session routes need.
            audit: The dependency that records a request, which every route that changes something needs.
            public: Codes of public routes.
            session_routes: Codes of routes about the caller's own account.
            outside: Paths that no code can guard: mounts, pages, and everything outside the prefix.

        Raises:
            RuntimeError: A route is neither guarded nor listed, is guarded differently, or is not audited; or a listed
                route does not exist.
        """
        for code, calls in self._calls.items():
            weaker = Access.PUBLIC if calls.isdisjoint(sessions) else Access.SESSION
            actual = Access.PERMISSION if permission in calls else weaker
            listed = [Access.PUBLIC] * (code in public) + [Access.SESSION] * (code in session_routes)
            if not listed and actual is not Access.PERMISSION:
                raise RuntimeError(f"{code} is neither guarded nor listed as public.")
            if listed not in ([], [actual]):
                raise RuntimeError(f"{code} is listed as {' and '.join(listed)}, but its guards require: {actual}.")
            self._access[code] = actual
            if audit not in calls and not code.startswith(("GET:", "HEAD:", "OPTIONS:", "SOCKET:")):
                raise RuntimeError(f"{code} changes something and is not audited.")
        if self._others - set(outside):
            raise RuntimeError(f"Not guarded, and not listed: {', '.join(sorted(self._others - set(outside)))}.")
        unknown = {*public, *session_routes} - self._calls.keys()
        if unknown:
            raise RuntimeError(f"Listed, but there is no such route: {', '.join(sorted(unknown))}.")


def _calls(dependant: Dependant | None) -> Iterator[Callable[..., Any]]:
    """Every callable in a route's dependency tree."""
    for dependency in dependant.dependencies if dependant else ():
        if dependency.call is not None:
            yield dependency.call
        yield from _calls(dependency)
