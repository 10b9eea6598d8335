from src.crud.outbox import is_any_waiting
from src.deps.audit import AuditServiceDep
from src.deps.database import ResourcesDep, UnitOfWorkDep
from src.queues.app import app


@app.task(name="outbox.relay", ignore_result=True, tracked=False)
async def relay(uow: UnitOfWorkDep, audit: AuditServiceDep, resources: ResourcesDep) -> int:
    """Deliver what the outbox holds; what cannot be delivered now stays for the next run."""
    async with resources.read_connection() as connection:
        if not await is_any_waiting(connection):
            return 0
    tasks = await resources.tasks.relay(uow.session)
    await uow.commit()  # what was sent stays sent, though MongoDB be away
    return tasks + await audit.relay(uow)
