"""The index finds routes by their paths; what it runs is compared with FastAPI in `tests/core/injection`."""

from typing import Any

import pytest
from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.routing import Match, NoMatchFound

from src.core.routing.index import RouteIndex

pytestmark = pytest.mark.unit


async def handler() -> None: ...


def index_of(*paths: str, methods: tuple[str, ...] = ("GET",), **options: Any) -> RouteIndex:
    app = FastAPI(**options)
    for path in paths:
        app.add_api_route(path, handler, methods=list(methods))
    return RouteIndex(app.routes)


def find(index: RouteIndex, path: str, method: str = "GET") -> tuple[Match, Any]:
    match, scope = index.matches({"type": "http", "path": path, "method": method})
    return match, scope.get("route")


class TestPrecedence:
    @pytest.mark.parametrize("method", ["GET", "PUT"])
    def test_the_longer_fixed_prefix_wins_for_every_method(self, method: str) -> None:
        index = index_of("/roles/{roleId}", "/roles/mine", methods=("GET", "PUT"))
        assert find(index, "/roles/mine", method)[1].path == "/roles/mine"

    def test_among_equal_prefixes_the_first_wins(self) -> None:
        index = index_of("/a/{one}/x", "/a/{two}/{three}")
        assert [find(index, path)[1].path for path in ("/a/1/x", "/a/1/y")] == ["/a/{one}/x", "/a/{two}/{three}"]

    def test_another_method_is_refused_with_those_allowed(self) -> None:
        match, scope = index_of("/a/{one}", methods=("GET", "PUT")).matches(
            {"type": "http", "path": "/a/1", "method": "DELETE"}
        )
        assert (match, scope["allowed_methods"]) == (Match.PARTIAL, {"GET", "PUT"})

    def test_a_page_of_another_kind_is_left_to_those_behind(self) -> None:
        assert find(index_of("/{anything}"), "/openapi.json")[0] is Match.NONE

    def test_urls_are_left_to_those_behind(self) -> None:
        with pytest.raises(NoMatchFound):
            index_of("/a").url_path_for("handler")


class Counted(dict[str, Any]):
    """Counts its look-ups."""

    asked = 0

    def get(self, *arguments: Any) -> Any:
        self.asked += 1
        return super().get(*arguments)


class TestLongPaths:
    @pytest.mark.parametrize("path", ["/x" * 100_000, "/" * 100_000, "/items" + "/" * 100_000, "x" * 100_000, "*", ""])
    def test_are_not_cut_at_each_slash(self, path: str) -> None:
        index = index_of("/constant", "/items/{number}")
        index._by_prefix = known = Counted(index._by_prefix)
        assert find(index, path)[0] is Match.NONE
        assert known.asked <= len("/constant") + 2


class TestRouters:
    def test_a_route_class_that_routes_by_itself_is_left_to_fastapi(self) -> None:
        class Hidden(APIRoute):
            def matches(self, scope: Any) -> Any:
                return Match.NONE, {}

        router, app = APIRouter(route_class=Hidden), FastAPI()
        router.add_api_route("/hidden", handler)
        app.include_router(router)
        assert find(RouteIndex(app.routes), "/hidden")[0] is Match.NONE

    @pytest.mark.parametrize("nested", [True, False])
    def test_limits_that_would_be_skipped_are_refused(self, nested: bool) -> None:
        app, outer, inner = FastAPI(), APIRouter(), APIRouter(form_limits={"max_fields": 1})
        inner.add_api_route("/form", handler)
        if nested:
            outer.include_router(inner)
        app.include_router(outer if nested else inner)
        with pytest.raises(ValueError, match="form_limits"):
            RouteIndex(app.routes)

    def test_a_router_that_routes_by_itself_is_refused(self) -> None:
        class Choosy(APIRouter):
            def matches(self, scope: Any) -> Any:
                return Match.NONE, {}

        router, app = Choosy(), FastAPI()
        router.add_api_route("/hidden", handler)
        app.include_router(router)
        with pytest.raises(ValueError, match="Choosy"):
            RouteIndex(app.routes)
