from fastapi import APIRouter, Depends

from src.deps.ops import OpsServiceDep
from src.deps.permission import require_permission
from src.deps.rate_limit import EXPENSIVE
from src.schemas.ops import OpsHistory
from src.schemas.response import Response, ok

router = APIRouter(prefix="/ops", tags=["Operations"], dependencies=[Depends(require_permission)])


@router.get("/overview", dependencies=[EXPENSIVE])
async def get_overview(ops: OpsServiceDep) -> Response[OpsHistory]:
    """Get what is going on in all processes, and what happened in the last hour."""
    return ok(await ops.overview())
