from collections.abc import Sequence
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import insert
from sqlmodel import col, delete, select

from src.crud.crud_sqlmodel import BaseSQLModelCRUD
from src.models.outbox import OutboxMessage


class OutboxCRUD(BaseSQLModelCRUD[OutboxMessage]):
    """Messages that wait to be delivered."""

    model: ClassVar[type[OutboxMessage]] = OutboxMessage

    async def put(self, topic: str, payload: dict[str, Any]) -> None:
        """Add a message; a plain statement, since every audited request pays for it."""
        message = OutboxMessage(topic=topic, payload=payload)
        await (await self.session.connection()).execute(insert(OutboxMessage), message.model_dump())

    async def take(self, topic: str, limit: int) -> Sequence[OutboxMessage]:
        """The oldest waiting messages, locked until the transaction ends; those that others hold are passed over."""
        waiting = select(OutboxMessage).where(OutboxMessage.topic == topic).order_by(col(OutboxMessage.id))
        return (await self.session.exec(waiting.limit(limit).with_for_update(skip_locked=True))).all()

    async def delivered(self, ids: Sequence[UUID]) -> None:
        """Forget messages that have arrived."""
        await self.session.exec(delete(OutboxMessage).where(col(OutboxMessage.id).in_(ids)))
