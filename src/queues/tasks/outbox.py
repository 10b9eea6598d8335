from src.deps.audit import AuditServiceDep
from src.deps.database import ResourcesDep, UnitOfWorkDep
from src.queues.app import app


@app.task(name="outbox.relay", ignore_result=True, tracked=False)
async def relay(uow: UnitOfWorkDep, audit: AuditServiceDep, resources: ResourcesDep) -> int:
    """Deliver what the outbox holds; what cannot be delivered now stays for the next run."""
    tasks = await resources.tasks.relay(uow.session)
    return tasks + await audit.relay(uow)
