from typing import Any

from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from src.models.base import BaseModel


class OutboxMessage(BaseModel, table=True):
    """Something that must reach another system, committed with the data that it tells of.

    The relay delivers it at least once and then deletes the row; the row's id lets receivers recognise a repeat.
    """

    __tablename__ = "outbox"

    topic: str = Field(max_length=64)
    payload: dict[str, Any] = Field(sa_type=JSONB)
