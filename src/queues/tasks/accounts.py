from uuid import UUID

from src.deps.audit import AuditServiceDep
from src.deps.database import UnitOfWorkDep
from src.queues.app import app


@app.task(name="accounts.forget_name", ignore_result=True)
async def forget_name(user_id: str, uow: UnitOfWorkDep, audit: AuditServiceDep) -> int:
    """Remove the name of a deleted account from the audit log; returns from how many entries."""
    return await audit.forget_name(uow, UUID(user_id))
