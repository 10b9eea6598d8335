from fastapi import APIRouter, Depends

from src.deps.permission import require_permission
from src.deps.router import RouterServiceDep
from src.schemas.response import Response, ok
from src.schemas.router import RouteResponse

router = APIRouter(prefix="/router", tags=["Router"], dependencies=[Depends(require_permission)])


@router.get("/backend")
async def list_routes(routes: RouterServiceDep) -> Response[list[RouteResponse]]:
    """Every method, path and event that a role can be granted."""
    return ok(await routes.all())
