from typing import Annotated

from fastapi import APIRouter, Depends, Query

from src.deps.audit import AuditServiceDep
from src.deps.permission import require_permission
from src.deps.rate_limit import EXPENSIVE
from src.schemas.audit import AuditLogResponse, AuditQuery
from src.schemas.response import CursorPage, Response, ok

router = APIRouter(prefix="/audit-logs", tags=["Audit"], dependencies=[Depends(require_permission)])


@router.get("", dependencies=[EXPENSIVE])
async def list_audit_logs(
    query: Annotated[AuditQuery, Query()], audit: AuditServiceDep
) -> Response[CursorPage[AuditLogResponse]]:
    """List audit log entries, newest first."""
    entries, next_cursor = await audit.cursor(query)
    records = [AuditLogResponse.model_validate(entry) for entry in entries]
    return ok(CursorPage(records=records, next_cursor=next_cursor))
