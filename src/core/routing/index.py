from collections import defaultdict
from collections.abc import Iterable

from fastapi.routing import APIRoute, RouteContext, iter_route_contexts
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Receive, Scope, Send

from src.core.routing.route_app import compile_route


class RouteIndex(BaseRoute):
    """Finds a route by the fixed beginning of its path, where the tree of routers asks every route in turn.

    It stands first among an application's routes; what it does not know is left to those behind it. Among routes that
    fit, the one with the longer fixed beginning wins, for every method: `/roles/mine` before `/roles/{roleId}`.
    """

    def __init__(self, routes: Iterable[BaseRoute]) -> None:
        self._by_beginning: dict[str, list[tuple[RouteContext, ASGIApp]]] = defaultdict(list)
        self._fixed: dict[tuple[str, str], Scope] = {}
        self._longest = 0
        for route in iter_route_contexts(list(routes)):
            if isinstance(route.original_route, APIRoute):
                self._add(route, str(route.path_format))

    def _add(self, route: RouteContext, path: str) -> None:
        app = compile_route(route)
        beginning = _fixed_beginning(path)
        self._longest = max(self._longest, len(beginning))
        self._by_beginning[beginning].append((route, app))
        if "{" not in path:
            for method in route.methods or ():
                found = {"endpoint": route.endpoint, "route": route, "route_app": app}
                self._fixed.setdefault((method, path), found)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """The route itself goes into the scope, as `route`, and the way through it, as `route_app`."""
        if scope["type"] != "http":
            return Match.NONE, {}
        fixed = self._fixed.get((scope["method"], scope["path"]))
        if fixed is not None and not scope.get("root_path"):
            return Match.FULL, {**fixed, "path_params": {}}
        refused: set[str] = set()
        beginning = scope["path"]
        while True:
            for route, app in self._by_beginning.get(beginning, ()):
                match, child_scope = route.matches(scope)
                if match is Match.FULL:
                    child_scope["route"] = route
                    child_scope["route_app"] = app
                    return match, child_scope
                if match is Match.PARTIAL:
                    refused |= route.methods or set()
            if refused or len(beginning) < 2:
                break
            # Not each slash of a path in turn: one of 64 KiB would hold the loop for a quarter of a second.
            end = min(len(beginning) - 1, self._longest)
            beginning = beginning[: beginning.rfind("/", 0, end) + 1]
        return (Match.PARTIAL, {"allowed_methods": refused}) if refused else (Match.NONE, {})

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the route that was found."""
        if "allowed_methods" in scope:
            raise HTTPException(405, headers={"Allow": ", ".join(sorted(scope["allowed_methods"]))})
        await scope["route_app"](scope, receive, send)


def _fixed_beginning(path: str) -> str:
    """The path up to its first template, ending at a slash; all of it when there is none."""
    if "{" not in path:
        return path
    beginning = path[: path.index("{")]
    return beginning[: beginning.rfind("/") + 1]
