from src.crud.outbox import is_any_waiting
from src.deps.audit import AuditServiceDep
from src.deps.database import ResourcesDep, UnitOfWorkDep
from src.queues.app import app


@app.task(name="outbox.relay", ignore_result=True, tracked=False)
async def relay(uow: UnitOfWorkDep, audit: AuditServiceDep, resources: ResourcesDep) -> int:
    """Deliver the messages of the outbox; undeliverable ones stay for the next run. Returns how many were delivered."""
    async with resources.read_connection() as connection:
        if not await is_any_waiting(connection):
            return await audit.relay_merged()
    tasks = await resources.tasks.relay(uow.session)
    await uow.commit()  # sent tasks must not be sent again if MongoDB is unavailable
    return tasks + await audit.relay(uow)
