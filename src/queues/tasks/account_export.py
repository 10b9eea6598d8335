from datetime import datetime
from uuid import UUID

from src.deps.account import AccountExportServiceDep
from src.queues.app import app


@app.task(name="accounts.export", ignore_result=True)
async def export(user_id: str, exports: AccountExportServiceDep, requested_at: str | None = None) -> None:
    """Write the data of an account into a file of its user; a run that is repeated writes no second one."""
    await exports.write(UUID(user_id), datetime.fromisoformat(requested_at) if requested_at else None)
