from collections.abc import Callable
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI, Request

from src.core.routing.registry import RouteRegistry
from src.core.security.access import Access

pytestmark = pytest.mark.unit


async def permission() -> None: ...


async def session() -> None: ...


async def audit() -> None: ...


async def other() -> None: ...


async def third() -> None: ...


async def nested(_: None = Depends(permission)) -> None: ...


async def handler() -> None:
    """What it does.

    And more.
    """


def app_with(path: str = "/api/v1/things", *dependencies: Callable[..., Any], **options: Any) -> FastAPI:
    app = FastAPI()
    guards = [Depends(dependency) for dependency in dependencies]
    app.add_api_route(path, handler, dependencies=guards, **options)
    return app


def check(app: FastAPI, public: tuple[str, ...] = (), session_routes: tuple[str, ...] = ()) -> None:
    RouteRegistry(app).check_guards(
        permission=permission, sessions=(session,), audit=audit, public=public, session_routes=session_routes
    )


class TestCodes:
    def test_a_route_has_one_code_for_each_method(self) -> None:
        registry = RouteRegistry(app_with(methods=["GET", "DELETE"]))
        assert [route.code for route in registry.routes] == ["DELETE:/api/v1/things", "GET:/api/v1/things"]

    def test_head_has_the_code_of_get(self) -> None:
        app = app_with(methods=["GET"])
        app.add_api_route("/api/v1/things", handler, methods=["HEAD"])
        registry = RouteRegistry(app)
        assert [route.code for route in registry.routes] == ["GET:/api/v1/things"]
        assert registry.find_code({"endpoint": handler, "method": "HEAD"}) == "GET:/api/v1/things"

    def test_head_needs_the_guards_of_get(self) -> None:
        app = app_with("/api/v1/things", permission, methods=["GET"])
        app.add_api_route("/api/v1/things", handler, methods=["HEAD"])
        with pytest.raises(RuntimeError, match="GET:/api/v1/things is neither guarded nor listed as public"):
            check(app)

    def test_a_code_has_the_path_through_every_router(self) -> None:
        inner, outer, app = APIRouter(prefix="/things"), APIRouter(prefix="/api/v1"), FastAPI()
        inner.add_api_route("/{thingId}", handler)
        outer.include_router(inner)
        app.include_router(outer)
        assert [route.code for route in RouteRegistry(app).routes] == ["GET:/api/v1/things/{thingId}"]

    def test_a_code_has_the_template_without_its_converter(self) -> None:
        registry = RouteRegistry(app_with("/api/v1/files/{name:path}"))
        assert [route.code for route in registry.routes] == ["GET:/api/v1/files/{name}"]

    def test_routes_outside_the_api_have_none(self) -> None:
        assert RouteRegistry(app_with("/livez")).routes == []

    def test_the_description_is_the_first_line(self) -> None:
        assert RouteRegistry(app_with()).routes[0].description == "What it does."

    def test_one_function_on_two_paths_is_refused(self) -> None:
        app = app_with()
        app.add_api_route("/api/v1/others", handler)
        with pytest.raises(RuntimeError, match="GET:/api/v1/others"):
            RouteRegistry(app)

    @pytest.mark.parametrize(("method", "path"), [("GET", "/api/v1/things/7"), ("PUT", "/api/v1/things/7")])
    async def test_a_request_finds_the_code_of_its_route(self, method: str, path: str) -> None:
        async def find(request: Request) -> str | None:
            return registry.find_code(request.scope)

        app = FastAPI()
        app.add_api_route("/api/v1/things/{thingId}", find, methods=["GET", "PUT"])
        registry = RouteRegistry(app)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            assert (await client.request(method, path)).json() == f"{method}:/api/v1/things/{{thingId}}"


class TestRow33Guards:
    def test_an_unguarded_route_is_refused_by_name(self) -> None:
        with pytest.raises(RuntimeError, match="GET:/api/v1/things is neither guarded"):
            check(app_with())

    def test_a_guarded_route_passes(self) -> None:
        check(app_with("/api/v1/things", permission))

    def test_a_guard_may_stand_behind_another_dependency(self) -> None:
        check(app_with("/api/v1/things", nested))

    def test_a_listed_public_route_needs_none(self) -> None:
        check(app_with(), public=("GET:/api/v1/things",))

    def test_a_listing_is_for_one_method(self) -> None:
        with pytest.raises(RuntimeError, match="DELETE:/api/v1/things"):
            check(app_with(methods=["GET", "DELETE"]), public=("GET:/api/v1/things",))

    def test_a_login_is_not_enough(self) -> None:
        with pytest.raises(RuntimeError, match="GET:/api/v1/things"):
            check(app_with("/api/v1/things", session))

    def test_session_routes_needs_a_login(self) -> None:
        with pytest.raises(RuntimeError, match="GET:/api/v1/things"):
            check(app_with(), session_routes=("GET:/api/v1/things",))

    def test_session_routes_needs_no_more_than_a_login(self) -> None:
        check(app_with("/api/v1/things", session), session_routes=("GET:/api/v1/things",))

    def test_a_listing_without_a_route_is_refused_by_name(self) -> None:
        with pytest.raises(RuntimeError, match="GET:/api/v1/gone"):
            check(FastAPI(), public=("GET:/api/v1/gone",))


class TestRow60PublicAndGuarded:
    @pytest.mark.parametrize("guard", [permission, session])
    def test_a_public_route_has_no_guard(self, guard: Callable[..., Any]) -> None:
        with pytest.raises(RuntimeError, match="GET:/api/v1/things"):
            check(app_with("/api/v1/things", guard), public=("GET:/api/v1/things",))

    def test_session_routes_needs_no_permission(self) -> None:
        with pytest.raises(RuntimeError, match="GET:/api/v1/things"):
            check(app_with("/api/v1/things", session, permission), session_routes=("GET:/api/v1/things",))

    def test_a_route_is_not_both_public_and_session_routes(self) -> None:
        code = "GET:/api/v1/things"
        with pytest.raises(RuntimeError, match=code):
            check(app_with("/api/v1/things", session), public=(code,), session_routes=(code,))


class TestAccess:
    def test_is_what_the_guards_require(self) -> None:
        app = FastAPI()
        app.add_api_route("/api/v1/a", handler)
        app.add_api_route("/api/v1/b", other, dependencies=[Depends(session)])
        app.add_api_route("/api/v1/c", third, dependencies=[Depends(permission)])
        registry = RouteRegistry(app)
        registry.check_guards(
            permission=permission,
            sessions=(session,),
            audit=audit,
            public=("GET:/api/v1/a",),
            session_routes=("GET:/api/v1/b",),
        )
        assert [registry.access_to(f"GET:/api/v1/{name}") for name in "abcd"] == [
            Access.PUBLIC,
            Access.SESSION,
            Access.PERMISSION,
            None,
        ]
        assert [route.code for route in registry.grantable] == ["GET:/api/v1/c"]


class TestAudit:
    @pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
    def test_a_change_without_a_trace_is_refused(self, method: str) -> None:
        with pytest.raises(RuntimeError, match=f"{method}:/api/v1/things"):
            check(app_with("/api/v1/things", permission, methods=[method]))

    def test_a_change_that_is_recorded_passes(self) -> None:
        check(app_with("/api/v1/things", permission, audit, methods=["POST"]))

    def test_a_public_change_leaves_a_trace_too(self) -> None:
        with pytest.raises(RuntimeError, match="POST:/api/v1/things"):
            check(app_with(methods=["POST"]), public=("POST:/api/v1/things",))


class TestEvents:
    def registry(self, *guards: Callable[..., Any]) -> RouteRegistry:
        registry = RouteRegistry(FastAPI())
        registry.add_event("chat.send", "Send.", guarded_by=guards)
        return registry

    def check(self, *guards: Callable[..., Any]) -> None:
        self.registry(*guards).check_guards(
            permission=permission, sessions=(session,), audit=audit, public=(), session_routes=()
        )

    def test_an_event_has_a_code(self) -> None:
        assert [route.code for route in self.registry().routes] == ["SOCKET:chat.send"]

    def test_an_unguarded_event_is_refused(self) -> None:
        with pytest.raises(RuntimeError, match=r"SOCKET:chat\.send"):
            self.check()

    def test_a_guarded_event_passes(self) -> None:
        self.check(permission)
