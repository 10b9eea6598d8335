import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog

from src.core.exceptions import (
    AppError,
    PermissionDeniedError,
    ServiceUnavailableError,
    TooManyRequestsError,
    UnauthorizedError,
)
from src.core.list_filters import CursorRequest
from src.core.resources import Resources
from src.core.security.audit import AuditEntry
from src.core.stores.errors import as_unavailable
from src.core.unit_of_work import UnitOfWork
from src.crud.audit import AuditCRUD
from src.crud.outbox import OutboxCRUD
from src.crud.refusal import WINDOW_SECONDS, RefusalCRUD, Refusals
from src.models.audit import AuditLog
from src.models.outbox import OutboxMessage

log = structlog.get_logger(__name__)

TOPIC = "audit"
BATCH = 500
MAXIMUM_BATCHES = 20
REFUSED = {UnauthorizedError.status, PermissionDeniedError.status}


class AuditService:
    """Writes and lists the audit log.

    A success is written to the outbox in the transaction of the request; the relay then moves it to MongoDB. So every
    committed change has an entry, and an outage of MongoDB only delays the log.
    """

    def __init__(self, resources: Resources) -> None:
        self.resources = resources
        self.entries = AuditCRUD(resources.documents)
        self.refusals = RefusalCRUD(resources.redis, resources.documents)

    def record_on_commit(self, uow: UnitOfWork, entry: AuditEntry, status: int) -> None:
        """Write the entry as part of the transaction, just before it commits."""

        async def write() -> None:
            await OutboxCRUD(uow.session).put(TOPIC, entry.outcome(status))

        uow.before_commit(write)

    async def record_failure(self, entry: AuditEntry, error: AppError, *, database_responds: bool) -> None:
        """Write the entry of a failed request, in a separate transaction; many equal ones within a minute are merged.

        Raises:
            TooManyRequestsError: The account, or the address, was refused too often within a minute.
        """
        # Anybody can cause these without limit, so they are only in the access log.
        if error.status == TooManyRequestsError.status or (entry.actor_id is None and not entry.record_anonymous):
            return
        if not database_responds:  # the client has waited for it already
            self._log_lost(entry, error)
            return
        needs_redis = isinstance(error, ServiceUnavailableError) and error.store == "redis"
        refusals = None if needs_redis else await self._count(entry.outcome(error.status, error.error))
        if refusals is None or not refusals.is_merged:
            await self._record_failure(entry, error)
        if refusals is not None and error.status in REFUSED and self._is_too_often(entry, refusals):
            raise TooManyRequestsError(WINDOW_SECONDS - int(time.time()) % WINDOW_SECONDS)

    async def _count(self, payload: dict[str, Any]) -> Refusals | None:
        try:
            return await self.refusals.count(payload)
        except Exception as failure:
            if as_unavailable(failure) is None:
                raise
            return None

    def _is_too_often(self, entry: AuditEntry, refusals: Refusals) -> bool:
        settings = self.resources.settings.app
        of_account = refusals.of_account if entry.actor_id is not None else 0
        return of_account > settings.refusals_per_account or refusals.of_address > settings.refusals_per_address

    async def _record_failure(self, entry: AuditEntry, error: AppError) -> None:
        try:
            async with self.resources.unit_of_work() as uow:
                await OutboxCRUD(uow.session).put(TOPIC, entry.outcome(error.status, error.error))
        except Exception as failure:
            if as_unavailable(failure) is None:
                raise
            self._log_lost(entry, error)

    def _log_lost(self, entry: AuditEntry, error: AppError) -> None:
        log.warning("audit_lost", action=entry.action, actor_id=str(entry.actor_id), error=error.error)

    async def set_retention(self) -> None:
        """Have MongoDB delete entries after `AUDIT_RETENTION_DAYS`; called by `initdb`."""
        await self.entries.set_retention(timedelta(days=self.resources.settings.app.audit_retention_days))

    async def relay(self, uow: UnitOfWork) -> int:
        """Move entries from the outbox to MongoDB, and return their number. On an error they stay in the outbox."""
        outbox, moved = OutboxCRUD(uow.session), 0
        for _ in range(MAXIMUM_BATCHES):  # a flood of entries must not delay those that follow
            messages = await outbox.take(TOPIC, BATCH)
            if messages:
                await self.entries.insert([_fields(message) for message in messages])
                await outbox.delete_delivered([message.id for message in messages])
            moved += len(messages)
            if len(messages) < BATCH:
                break
        return moved + await self.relay_merged()

    async def relay_merged(self) -> int:
        """Move merged entries of past minutes to MongoDB, and return their number."""
        merged = await self.refusals.merged(BATCH)
        if not merged:
            return 0
        entries = [entry for entry in merged.values() if entry is not None]
        if len(entries) < len(merged):
            log.warning("unreadable_refusals_dropped", count=len(merged) - len(entries))
        if entries:
            await self.entries.insert(entries)
        await self.refusals.delete(list(merged))
        return len(entries)

    async def forget_name(self, uow: UnitOfWork, user_id: UUID) -> int:
        """Remove the name of a deleted account from the log; returns from how many entries."""
        await self.relay(uow)  # the entries that are still in the outbox
        return await self.entries.forget_name(user_id)

    async def cursor(self, query: CursorRequest) -> tuple[Sequence[AuditLog], str | None]:
        """The entries after the query's cursor, and the next cursor."""
        return await self.entries.cursor(query)


def _fields(message: OutboxMessage) -> dict[str, Any]:
    return {**message.payload, "_id": message.id, "time": message.create_time}
