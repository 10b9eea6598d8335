from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import ColumnElement, func, insert, or_
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import col, delete, select

from src.crud.crud_sqlmodel import BaseSQLModelCRUD
from src.models.outbox import OutboxMessage

# Beyond this, counting would take long.
COUNTED = 10_000
# Built once: the relay runs it every two seconds, and mostly finds nothing.
_ANY = select(select(OutboxMessage.id).exists())


async def is_any_waiting(connection: AsyncConnection) -> bool:
    """Whether the outbox has messages of any topic."""
    return bool((await connection.execute(_ANY)).scalar_one())


class OutboxCRUD(BaseSQLModelCRUD[OutboxMessage]):
    """Messages that have not been delivered."""

    model: ClassVar[type[OutboxMessage]] = OutboxMessage

    async def waiting(self) -> Sequence[Any]:
        """The topics that have messages: `topic`, how many (at most 10,001), and since when the oldest waits."""
        oldest = select(OutboxMessage.topic, OutboxMessage.create_time).order_by(col(OutboxMessage.id))
        counted = oldest.limit(COUNTED + 1).subquery()
        topics = select(
            counted.c.topic, func.count().label("waiting"), func.min(counted.c.create_time).label("oldest_at")
        )
        return (await self.session.exec(topics.group_by(counted.c.topic).order_by(counted.c.topic))).all()

    async def put(self, topic: str, payload: dict[str, Any]) -> None:
        """Insert a message, without the overhead of the ORM: every audited request does it."""
        await (await self.session.connection()).execute(insert(OutboxMessage), {"topic": topic, "payload": payload})

    async def take(self, topic: str, limit: int) -> Sequence[OutboxMessage]:
        """Lock and return the oldest messages, skipping those that other transactions have locked."""
        waiting = select(OutboxMessage).where(OutboxMessage.topic == topic).order_by(col(OutboxMessage.id))
        return (await self.session.exec(waiting.limit(limit).with_for_update(skip_locked=True))).all()

    async def take_key(self, topic: str, key: str) -> Sequence[OutboxMessage]:
        """Lock a key until the transaction ends, and return all its messages, oldest first."""
        await self.session.exec(select(func.pg_advisory_xact_lock(_lock(topic, key))))
        waiting = select(OutboxMessage).where(OutboxMessage.topic == topic, OutboxMessage.key == key)
        return (await self.session.exec(waiting.order_by(col(OutboxMessage.id)))).all()

    async def take_overdue(self, topic: str, limit: int, before: datetime) -> Sequence[OutboxMessage]:
        """`take` messages older than a time, skipping keys that other transactions have locked."""
        key = col(OutboxMessage.key)
        waiting = (
            select(OutboxMessage)
            .where(OutboxMessage.topic == topic, OutboxMessage.create_time < before)
            .where(or_(key.is_(None), func.pg_try_advisory_xact_lock(_lock(topic, key))))
            .order_by(col(OutboxMessage.id))
        )
        return (await self.session.exec(waiting.limit(limit).with_for_update(skip_locked=True))).all()

    async def delete_delivered(self, ids: Sequence[UUID]) -> None:
        """Delete delivered messages."""
        await self.session.exec(delete(OutboxMessage).where(col(OutboxMessage.id).in_(ids)))


def _lock(topic: str, key: Any) -> ColumnElement[int]:
    """The advisory lock of a key."""
    return func.hashtextextended(func.concat(topic, ":", key), 0)
