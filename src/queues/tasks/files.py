from src.deps.file import FileReconciliationDep, FileSweepDep
from src.queues.app import app


@app.task(name="files.sweep", ignore_result=True)
async def sweep(files: FileSweepDep) -> int:
    """Remove expired uploads and deleted files; returns how many."""
    return await files.sweep()


@app.task(name="files.reconcile", ignore_result=True)
async def reconcile(files: FileReconciliationDep, after: str = "") -> int:
    """Compare table and storage, 1,000 files per run; returns how many differences were resolved."""
    return await files.run(after)
