from src.deps.audit import AuditServiceDep
from src.deps.database import UnitOfWorkDep
from src.queues.app import app


@app.task(name="outbox.relay", ignore_result=True)
async def relay(uow: UnitOfWorkDep, audit: AuditServiceDep) -> int:
    """Deliver what the outbox holds; what cannot be delivered now stays for the next run."""
    return await audit.relay(uow)
