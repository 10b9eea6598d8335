from datetime import datetime, timedelta
from uuid import UUID

import structlog

from src.core.exceptions import ConflictError
from src.core.resources import Resources
from src.core.security.audit import AuditEntry
from src.core.unit_of_work import UnitOfWork
from src.crud.file import FileCRUD
from src.crud.user import UserCRUD
from src.models.user import User
from src.services.audit import AuditService
from src.services.user_admin import UserAdminService
from src.utils.date import utc_now
from src.utils.username import canonical_username

log = structlog.get_logger(__name__)

BATCH = 100
ACTION = "accounts.delete_due"


class AccountDeletionService:
    """Users delete their own account: it ends some days after they have asked for it, unless they change their mind.

    What stays is what others need, with the id of the account and without its name: entries of the audit log, notices,
    chat messages, runs, and schedules, which no longer run.
    """

    def __init__(self, uow: UnitOfWork, resources: Resources) -> None:
        self.uow = uow
        self.resources = resources
        self.users = UserAdminService(uow, resources)

    async def request(self, user: User) -> datetime:
        """Have the account deleted in `ACCOUNT_DELETION_DAYS`, end all sessions, and return when it is due.

        Raises:
            ConflictError: The user is the last administrator.
        """
        await self.users.keep_an_admin(user)
        due = utc_now() + timedelta(days=self.resources.settings.auth.deletion_days or 0)
        self.users.sessions.end_on_commit(self.uow, user.id)
        self.users.emails.send_notice(user.id, "deletion_requested", due=f"{due:%Y-%m-%d %H:%M} UTC")
        await self.users.users.update(user, {"deletion_due_at": due})
        return due

    async def cancel(self, user: User) -> None:
        """Keep the account.

        Raises:
            ConflictError: It was not to be deleted.
        """
        if user.deletion_due_at is None:
            raise ConflictError("The account is not to be deleted.", error="account.no_deletion")
        await self.users.users.update(user, {"deletion_due_at": None})

    async def delete_due(self) -> int:
        """Delete the accounts that are due, each in a transaction of its own; returns how many."""
        now, deleted = utc_now(), 0
        for user_id in await self.users.users.due_for_deletion(now, BATCH):
            async with self.resources.unit_of_work() as uow:
                deleted += await AccountDeletionService(uow, self.resources)._delete(user_id, now)
        return deleted

    async def _delete(self, user_id: UUID, now: datetime) -> bool:
        user = await UserCRUD(self.uow.session).lock_due_for_deletion(user_id, now)
        if user is None:  # cancelled, or being deleted by another worker
            return False
        try:
            await self.users.keep_an_admin(user)
        except ConflictError:
            log.warning("last_admin_not_deleted", user_id=str(user.id))
            await self.users.users.update(user, {"deletion_due_at": None})
            return False
        self._record(user)
        await FileCRUD(self.uow.session).mark_owned_deleted(user.id)
        self.users.sessions.end_on_commit(self.uow, user.id)
        self.users.permissions.invalidate_user(self.uow, user.id)
        account = canonical_username(user.username)
        self.uow.after_commit("forget devices", lambda: self.resources.throttle.forget(account))
        self.uow.enqueue("accounts.forget_name", user_id=str(user.id), secret_username=user.username)
        self.users.emails.send_account_deleted(user)
        await self.users.users.delete(user)
        return True

    def _record(self, user: User) -> None:
        entry = AuditEntry(ACTION, target={"userId": str(user.id)}, actor_id=user.id)
        AuditService(self.resources).record_on_commit(self.uow, entry, 200)

    async def forget_name(self, user_id: UUID, username: str) -> int:
        """Remove the name of a deleted account from the audit log; returns from how many entries."""
        audit = AuditService(self.resources)
        await audit.relay(self.uow)  # the entries that are still in the outbox
        return await audit.entries.forget_name(user_id, username)
