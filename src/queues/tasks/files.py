from src.deps.file import FileReconciliationDep, FileSweepDep
from src.queues.app import app


@app.task(name="files.sweep")
async def sweep(files: FileSweepDep) -> int:
    """Remove uploads that nobody completed in time, and deleted files; returns how many."""
    return await files.sweep()


@app.task(name="files.reconcile")
async def reconcile(files: FileReconciliationDep, after: str = "") -> int:
    """Compare table and storage, 1,000 files a run; returns how many differences were settled."""
    return await files.run(after)
