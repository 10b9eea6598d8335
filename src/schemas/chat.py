from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from src.schemas.base import BaseRequest, BaseSchema, SafeStr

# No character that a store refuses.
Room = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[\w.\-]+$")]


class ChatRoom(BaseRequest):
    """A room."""

    room: Room


class ChatMessage(BaseRequest):
    """A message to a room."""

    room: Room
    text: Annotated[SafeStr, Field(min_length=1, max_length=4000)]


class ChatReceived(BaseSchema):
    """A message as the members of its room receive it."""

    id: UUID
    room: str
    text: str
    user: UUID
    create_time: datetime


class ChatHistoryQuery(BaseRequest):
    """A page of a room's messages: those before the message `before`, or the latest."""

    room: Room
    before: UUID | None = None
    limit: int = Field(50, ge=1, le=100)


class ChatHistory(BaseSchema):
    """Messages of a room, newest first; `before` requests the next page, and is null on the last."""

    records: list[ChatReceived]
    before: UUID | None
