from datetime import datetime
from uuid import UUID

from src.deps.account import AccountDeletionServiceDep, AccountExportServiceDep
from src.queues.app import app


@app.task(name="accounts.delete_due", ignore_result=True)
async def delete_due(accounts: AccountDeletionServiceDep) -> int:
    """Delete the accounts whose users have asked for it long enough ago; returns how many."""
    return await accounts.delete_due()


@app.task(name="accounts.forget_name", ignore_result=True)
async def forget_name(user_id: str, accounts: AccountDeletionServiceDep) -> int:
    """Remove the name of a deleted account from the audit log; returns from how many entries."""
    return await accounts.forget_name(UUID(user_id))


@app.task(name="accounts.export", ignore_result=True)
async def export(user_id: str, exports: AccountExportServiceDep, requested_at: str | None = None) -> None:
    """Write the data of an account into a file of its user; a run that is repeated writes no second one."""
    await exports.write(UUID(user_id), datetime.fromisoformat(requested_at) if requested_at else None)
