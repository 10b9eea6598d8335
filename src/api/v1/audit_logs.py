from fastapi import APIRouter, Depends

from src.deps.audit import AuditServiceDep
from src.deps.permission import require_permission
from src.schemas.audit import AuditLogResponse, AuditPage, AuditQueryDep
from src.schemas.response import Response, ok

router = APIRouter(prefix="/audit-logs", tags=["Audit"], dependencies=[Depends(require_permission)])


@router.get("")
async def list_audit_logs(query: AuditQueryDep, audit: AuditServiceDep) -> Response[AuditPage]:
    """Who did what, newest first."""
    filters = query.model_dump(include={"actor_id", "action", "result"}, exclude_none=True)
    entries = await audit.page(filters, before=query.cursor, limit=query.limit)
    records = [AuditLogResponse.model_validate(entry) for entry in entries]
    return ok(AuditPage(records=records, next_cursor=records[-1].id if len(records) == query.limit else None))
