from src.deps.task import TaskRunServiceDep
from src.queues.app import app


@app.task(name="tasks.record", ignore_result=True, tracked=False)
async def record(runs: TaskRunServiceDep) -> int:
    """Write into the ledger what workers have told of their runs."""
    return await runs.record()


@app.task(name="tasks.prune")
async def prune(runs: TaskRunServiceDep) -> int:
    """Forget runs, and claims, that are older than the retention; returns how many there were."""
    return await runs.prune()
