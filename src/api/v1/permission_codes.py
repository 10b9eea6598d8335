from fastapi import APIRouter, Depends

from src.deps.permission import require_permission
from src.deps.permission_code import PermissionCodeServiceDep
from src.schemas.permission_code import PermissionCodeResponse
from src.schemas.response import Response, ok

router = APIRouter(prefix="/router", tags=["Router"], dependencies=[Depends(require_permission)])


@router.get("/backend")
async def list_permission_codes(codes: PermissionCodeServiceDep) -> Response[list[PermissionCodeResponse]]:
    """List the permission codes that roles can grant."""
    return ok(await codes.all())
