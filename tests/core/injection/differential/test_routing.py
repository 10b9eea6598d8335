"""Routes below routers, mounts and proxies on both engines."""

from typing import Any

import pytest
from fastapi import (
    APIRouter,
    Depends,
    FastAPI,
    Request,
)

from tests.core.injection.differential.exchange import Call, compare, get, indexed

pytestmark = pytest.mark.unit


class TestRouting:
    @staticmethod
    def make(trace: list[str]) -> FastAPI:
        app, router, inner, below = FastAPI(), APIRouter(prefix="/things"), APIRouter(), FastAPI()

        async def guard(thing: int) -> None:
            trace.append(f"guard {thing}")

        @inner.get("/{thing}/parts/{part:path}", name="part")
        async def part(thing: int, part: str, request: Request) -> list[Any]:
            route = request.scope["route"]
            return [thing, part, str(request.url_for("part", thing=1, part="a/b")), type(route).__name__, route.path]

        @below.get("/items/{item}", name="item")
        async def item(item: int, tenant: int | None = None, *, request: Request) -> list[Any]:
            return [item, request.path_params, str(request.url_for("item", item=2))]

        router.include_router(inner, dependencies=[Depends(guard)])
        app.include_router(router)
        app.mount("/below", indexed(below))
        app.mount("/tenants/{tenant}", indexed(below))
        return app

    @pytest.mark.parametrize("root_path", ["", "/root"])
    async def test_below_routers_mounts_and_proxies(self, root_path: str) -> None:
        urls = ["/things/1/parts/a/b", "/things/x/parts/a", "/below/items/1", "/below/items/x", "/tenants/3/items/1"]
        calls = [Call("GET", url, root_path=root_path) for url in [*urls, "/nothing", "/below/nothing"]]
        calls.append(Call("PUT", "/things/1/parts/a", root_path=root_path))
        await compare(self.make, *calls)

    async def test_pages_are_not_hidden_by_templates(self) -> None:
        def make(trace: list[str]) -> FastAPI:
            app = FastAPI()

            @app.get("/{anything}")
            async def respond(anything: str) -> str:
                return anything

            return app

        outcomes = await compare(make, get("/openapi.json"), get("/x"))
        assert b"openapi" in outcomes[0].body
