"""What a test has left in the outbox."""

from collections.abc import Mapping
from typing import Any

from sqlmodel import col, func, select

from src.core.unit_of_work import UnitOfWork
from src.models.outbox import OutboxMessage


async def audit_entries(uow: UnitOfWork, *actions: str) -> list[Mapping[str, Any]]:
    """The audit entries of this test's transaction, oldest first; of all actions, or of these.

    Processes that tests share commit theirs, and no test takes them away.
    """
    query = select(OutboxMessage.payload).where(OutboxMessage.topic == "audit", OutboxMessage.create_time >= func.now())
    entries = (await uow.session.exec(query.order_by(col(OutboxMessage.id)))).all()
    return [entry for entry in entries if not actions or entry["action"] in actions]
