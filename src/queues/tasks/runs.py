from src.deps.task import TaskRunServiceDep
from src.queues.app import app


@app.task(name="tasks.record", ignore_result=True, tracked=False)
async def record(runs: TaskRunServiceDep) -> int:
    """Persist pending run events to `task_runs`; returns how many."""
    return await runs.record()


@app.task(name="tasks.prune", ignore_result=True)
async def prune(runs: TaskRunServiceDep) -> int:
    """Delete runs and idempotency keys that are older than the retention, and expired links; returns how many."""
    return await runs.prune()
