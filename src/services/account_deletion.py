from datetime import datetime, timedelta
from uuid import UUID

import structlog

from src.core.exceptions import ConflictError
from src.core.resources import Resources
from src.core.security.audit import AuditEntry
from src.core.stores.errors import as_unavailable
from src.core.unit_of_work import UnitOfWork
from src.crud.file import FileCRUD
from src.crud.user import UserCRUD
from src.models.user import User
from src.services.audit import AuditService
from src.services.user_admin import UserAdminService
from src.utils.date import utc_now

log = structlog.get_logger(__name__)

BATCH = 100
# Whose account is due for longer was not deleted while `ACCOUNT_DELETION_DAYS` was unset, and is told again first.
LATE = timedelta(days=3)
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
        self.users.sessions.end_on_commit(self.uow, user.id)
        return await self._announce(user)

    async def _announce(self, user: User) -> datetime:
        due = utc_now() + timedelta(days=self.resources.settings.auth.deletion_days or 0)
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
        """Delete the accounts that are due, each in a transaction of its own; returns how many.

        One that cannot be deleted is logged, and keeps no other from being deleted.
        """
        now, deleted = utc_now(), 0
        tried: set[UUID] = set()
        while batch := await self.users.users.due_for_deletion(now, BATCH, tried):
            tried.update(batch)
            for user_id in batch:
                deleted += await self._try_to_delete(user_id, now)
        return deleted

    async def _try_to_delete(self, user_id: UUID, now: datetime) -> bool:
        try:
            async with self.resources.unit_of_work() as uow:
                return await AccountDeletionService(uow, self.resources)._delete(user_id, now)
        except Exception as error:
            if as_unavailable(error) is not None:
                raise
            log.exception("account_not_deleted", user_id=str(user_id))
            return False

    async def _delete(self, user_id: UUID, now: datetime) -> bool:
        await self.users.users.lock_admins()  # before the user, as all who remove administrators do
        user = await UserCRUD(self.uow.session).lock_due_for_deletion(user_id, now)
        if user is None:  # cancelled, or being deleted by another worker
            return False
        if user.deletion_due_at is None or user.deletion_due_at < now - LATE:
            await self._announce(user)
            return False
        try:
            await self.users.keep_an_admin(user)
        except ConflictError:
            log.warning("last_admin_not_deleted", user_id=str(user.id))
            await self.users.users.update(user, {"deletion_due_at": None})
            return False
        self._record(user)
        await FileCRUD(self.uow.session).mark_owned_deleted(user.id)
        self.users.emails.send_account_deleted(user)
        await self.users.erase(user)
        return True

    def _record(self, user: User) -> None:
        entry = AuditEntry(ACTION, target={"userId": str(user.id)}, actor_id=user.id)
        AuditService(self.resources).record_on_commit(self.uow, entry, 200)
