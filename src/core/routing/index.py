"""Finds the route of a request by its path, without trying every route in turn."""

from collections import defaultdict
from collections.abc import Collection, Iterable

from fastapi.routing import APIRoute, APIRouter, RouteContext, iter_route_contexts
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Match, NoMatchFound, Route
from starlette.types import ASGIApp, Receive, Scope, Send
from typing_extensions import override

from src.core.injection.http import compile_route


class RouteIndex(BaseRoute):
    """All of FastAPI's routes behind one: it finds the route by the fixed prefix of its path, and runs it compiled.

    It is the first of an application's routes; requests that it does not match go to the next routes. Among routes that
    match, the one with the longer fixed prefix wins, for every method: `/roles/mine` before `/roles/{roleId}`.

    Args:
        routes: FastAPI's routes.
        absent: Paths that are not found, although the template of a route matches them.

    Raises:
        ValueError: An included router has `form_limits`, or overrides how requests are routed: the index would skip it.
    """

    def __init__(self, routes: Iterable[BaseRoute], absent: Collection[str] = ()) -> None:
        self._absent = absent
        self._fixed: dict[tuple[str, str], Scope] = {}
        self._by_prefix: dict[str, list[tuple[RouteContext, ASGIApp]]] = defaultdict(list)
        self._longest_prefix = 0
        self._left_to_others: set[str] = set()
        routes = list(routes)
        _check_routers(routes)
        for route in iter_route_contexts(routes):
            if _is_plain(route.original_route):
                self._add(route, str(route.path_format))
            elif isinstance(route.original_route, (APIRoute, Route)):
                self._left_to_others.add(str(route.path))

    def _add(self, route: RouteContext, path: str) -> None:
        app = compile_route(route)
        prefix = _fixed_prefix(path)
        self._longest_prefix = max(self._longest_prefix, len(prefix))
        self._by_prefix[prefix].append((route, app))
        if "{" not in path:
            for method in route.methods or ():
                found = {"endpoint": route.endpoint, "route": route.original_route, "route_app": app}
                self._fixed.setdefault((method, path), found)

    @override
    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Find the route; its application goes into the scope, as `route_app`."""
        if scope["type"] != "http":
            return Match.NONE, {}
        path = _route_path(scope)
        fixed = self._fixed.get((scope["method"], path))
        if fixed is not None:
            return Match.FULL, {**fixed, "path_params": dict(scope.get("path_params", ()))}
        if path in self._absent:
            return Match.FULL, {"is_absent": True}
        return (Match.NONE, {}) if path in self._left_to_others else self._search(scope, path)

    def _search(self, scope: Scope, path: str) -> tuple[Match, Scope]:
        allowed: set[str] = set()
        prefix = path
        while True:
            for route, app in self._by_prefix.get(prefix, ()):
                match, child_scope = route.matches(scope)
                if match is Match.FULL:
                    return match, {**child_scope, "route": route.original_route, "route_app": app}
                if match is Match.PARTIAL:
                    allowed |= route.methods or set()
            if allowed or len(prefix) < 2:
                break
            # Skip what is longer than any prefix: a path of 64 KiB, slash by slash, would block the loop for 0.25 s.
            end = min(len(prefix) - 1, self._longest_prefix)
            prefix = prefix[: prefix.rfind("/", 0, end) + 1]
        return (Match.PARTIAL, {"allowed_methods": allowed}) if allowed else (Match.NONE, {})

    @override
    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the route that was found."""
        if "is_absent" in scope:
            raise HTTPException(404)
        if "allowed_methods" in scope:
            raise HTTPException(405, headers={"Allow": ", ".join(sorted(scope["allowed_methods"]))})
        await scope["route_app"](scope, receive, send)

    @override
    def url_path_for(self, name: str, /, **path_params: object) -> NoMatchFound:  # type: ignore[override]  # only raises
        """The routes themselves follow the index, and know their URLs."""
        raise NoMatchFound(name, path_params)


def _route_path(scope: Scope) -> str:
    """The path below the mount or proxy prefix, as Starlette sees it."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    return path[len(root) :] if root and (path == root or path.startswith(f"{root}/")) else path


def _fixed_prefix(path: str) -> str:
    """The path up to its first template, ending at a slash; all of it when there is none."""
    if "{" not in path:
        return path
    prefix = path[: path.index("{")]
    return prefix[: prefix.rfind("/") + 1]


def _is_plain(route: BaseRoute) -> bool:
    """Whether FastAPI's own code routes requests to it."""
    overridden = type(route).matches is not APIRoute.matches or type(route).handle is not APIRoute.handle
    return isinstance(route, APIRoute) and not overridden


def _check_routers(routes: Iterable[BaseRoute]) -> None:
    for route in routes:
        router = getattr(route, "original_router", None)
        if not isinstance(router, APIRouter):
            continue
        if type(router).matches is not APIRouter.matches or type(router).handle is not APIRouter.handle:
            raise ValueError(f"{type(router).__name__} overrides how requests are routed; RouteIndex would skip that")
        if router.form_limits or route.include_context.form_limits:  # type: ignore[attr-defined]  # of included routers
            raise ValueError("RouteIndex would skip form_limits of a router; set them on its routes")
        _check_routers(router.routes)
