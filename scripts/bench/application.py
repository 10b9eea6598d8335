"""The product with two constant routes more, so that what is measured is the way to a route and back.

BENCH_ROUTES=1000 adds that many other routes.

uvicorn scripts.bench.application:app
"""

import os
from collections.abc import Awaitable, Callable

from fastapi import APIRouter, Depends
from fastapi.routing import APIRoute

from src.api import access
from src.core.config import settings
from src.core.routing.index import RouteIndex
from src.deps.permission import require_permission
from src.main import app, create_registry, rest, server
from src.schemas.response import Response, ok

__all__ = ["app"]

router = APIRouter(prefix="/api/v1/bench")


@router.get("/public")
async def public() -> Response[str]:
    """A constant, for anybody."""
    return ok("pong")


@router.get("/guarded", dependencies=[Depends(require_permission)])
async def guarded() -> Response[str]:
    """A constant, for holders of its code."""
    return ok("pong")


def another() -> Callable[[int], Awaitable[Response[int]]]:
    """A route of its own: no function may serve two."""

    async def answer(item: int) -> Response[int]:
        return ok(item)

    return answer


for number in range(int(os.environ.get("BENCH_ROUTES", "0"))):
    router.add_api_route(f"/others-{number}/{{item}}", another(), methods=["GET"])

rest.include_router(router)
access.PUBLIC |= {
    f"GET:{route.path}" for route in router.routes if isinstance(route, APIRoute) and not route.dependencies
}
rest.state.registry = create_registry(rest, server, settings)
rest.router.routes[0] = RouteIndex(rest.routes[1:])
