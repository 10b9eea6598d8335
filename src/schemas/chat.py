from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from src.schemas.base import BaseRequest, BaseSchema, SafeStr

# The pattern lets nothing through that a store refuses.
Room = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[\w.\-]+$")]


class ChatRoom(BaseRequest):
    """Which room."""

    room: Room


class ChatMessage(BaseRequest):
    """A line to a room."""

    room: Room
    text: Annotated[SafeStr, Field(min_length=1, max_length=4000)]


class ChatReceived(BaseSchema):
    """A line as the room's members receive it."""

    id: UUID
    room: str
    text: str
    user: UUID
    create_time: datetime


class ChatHistoryQuery(BaseRequest):
    """Which part of a room's past: what was said before the line `before`, or the latest lines without it."""

    room: Room
    before: UUID | None = None
    limit: int = Field(50, ge=1, le=100)


class ChatHistory(BaseSchema):
    """Lines of a room, the latest first; `before` asks for what came earlier, and is null at the beginning."""

    records: list[ChatReceived]
    before: UUID | None
