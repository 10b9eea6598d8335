from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import ColumnElement, func, insert, or_
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import col, delete, select

from src.crud.crud_sqlmodel import BaseSQLModelCRUD
from src.models.outbox import OutboxMessage

# Made once: the relay asks every two seconds, and mostly there is none.
_ANY = select(select(OutboxMessage.id).exists())


async def is_any_waiting(connection: AsyncConnection) -> bool:
    """Whether there is a message of any topic."""
    return bool((await connection.execute(_ANY)).scalar_one())


class OutboxCRUD(BaseSQLModelCRUD[OutboxMessage]):
    """Messages that wait to be delivered."""

    model: ClassVar[type[OutboxMessage]] = OutboxMessage

    async def put(self, topic: str, payload: dict[str, Any]) -> None:
        """Add a message; a plain statement, since every audited request pays for it."""
        await (await self.session.connection()).execute(insert(OutboxMessage), {"topic": topic, "payload": payload})

    async def take(self, topic: str, limit: int) -> Sequence[OutboxMessage]:
        """The oldest waiting messages, locked until the transaction ends; those that others hold are passed over."""
        waiting = select(OutboxMessage).where(OutboxMessage.topic == topic).order_by(col(OutboxMessage.id))
        return (await self.session.exec(waiting.limit(limit).with_for_update(skip_locked=True))).all()

    async def take_key(self, topic: str, key: str) -> Sequence[OutboxMessage]:
        """All waiting messages of a key, oldest first; nobody else gets any of them until the transaction ends."""
        await self.session.exec(select(func.pg_advisory_xact_lock(_lock(topic, key))))
        waiting = select(OutboxMessage).where(OutboxMessage.topic == topic, OutboxMessage.key == key)
        return (await self.session.exec(waiting.order_by(col(OutboxMessage.id)))).all()

    async def take_left(self, topic: str, limit: int, before: datetime) -> Sequence[OutboxMessage]:
        """`take`, of messages older than a time; those of a key that somebody else is delivering are passed over."""
        key = col(OutboxMessage.key)
        waiting = (
            select(OutboxMessage)
            .where(OutboxMessage.topic == topic, OutboxMessage.create_time < before)
            .where(or_(key.is_(None), func.pg_try_advisory_xact_lock(_lock(topic, key))))
            .order_by(col(OutboxMessage.id))
        )
        return (await self.session.exec(waiting.limit(limit).with_for_update(skip_locked=True))).all()

    async def delivered(self, ids: Sequence[UUID]) -> None:
        """Forget messages that have arrived."""
        await self.session.exec(delete(OutboxMessage).where(col(OutboxMessage.id).in_(ids)))


def _lock(topic: str, key: Any) -> ColumnElement[int]:
    """The number of the lock of a key."""
    return func.hashtextextended(func.concat(topic, ":", key), 0)
