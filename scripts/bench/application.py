"""The product with two constant routes more, so that what is measured is the way to a route and back.

uvicorn scripts.bench.application:app
"""

from fastapi import APIRouter, Depends

from src.core.route import RouteRegistry
from src.core.route_index import RouteIndex
from src.deps.permission import require_permission
from src.main import app, rest
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


rest.include_router(router)
rest.state.registry = RouteRegistry(rest)
rest.router.routes[0] = RouteIndex(rest.routes[1:])
