from src.deps.database import UnitOfWorkDep
from src.deps.task import TaskRunServiceDep
from src.queues.app import app
from src.services import task_run

MAXIMUM_BATCHES = 20


@app.task(name="tasks.record", ignore_result=True, tracked=False)
async def record(uow: UnitOfWorkDep, runs: TaskRunServiceDep) -> int:
    """Persist pending run events to `task_runs`, a transaction for each batch; returns how many."""
    total = 0
    for _ in range(MAXIMUM_BATCHES):  # the next run follows in two seconds
        recorded = await runs.record()
        await uow.commit()
        total += recorded
        if recorded < task_run.BATCH:
            break
    return total


@app.task(name="tasks.prune", ignore_result=True)
async def prune(runs: TaskRunServiceDep) -> int:
    """Delete runs and idempotency keys that are older than the retention, and expired links; returns how many."""
    return await runs.prune()
