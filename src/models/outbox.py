from typing import Any

from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from src.models.base import BaseModel


class OutboxMessage(BaseModel, table=True):
    """A message to another system, committed in the same transaction as the data that it is about.

    The relay delivers it at least once, then deletes the row. Receivers recognise a repeated message by its id.

    Attributes:
        topic: Decides who delivers it, for instance `task`.
        key: Messages of one topic and key are delivered in the order of their ids.
    """

    __tablename__ = "outbox"

    topic: str = Field(max_length=64)
    key: str | None = Field(default=None, max_length=255)
    payload: dict[str, Any] = Field(sa_type=JSONB)
