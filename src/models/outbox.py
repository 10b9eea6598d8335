from typing import Any

from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from src.models.base import BaseModel


class OutboxMessage(BaseModel, table=True):
    """Something that must reach another system, committed with the data that it tells of.

    The relay delivers it at least once and then deletes the row; the row's id lets receivers recognise a repeat.

    Attributes:
        key: Messages of one topic and key are delivered in the order of their ids.
    """

    __tablename__ = "outbox"

    topic: str = Field(max_length=64)
    key: str | None = Field(default=None, max_length=255)
    payload: dict[str, Any] = Field(sa_type=JSONB)
