from src.deps.account import AccountDeletionServiceDep
from src.queues.app import app


@app.task(name="accounts.delete_due", ignore_result=True)
async def delete_due(accounts: AccountDeletionServiceDep) -> int:
    """Delete the accounts whose users have asked for it long enough ago; returns how many."""
    return await accounts.delete_due()
