from datetime import datetime
from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import Field

from src.schemas.base import BaseRequest, BaseSchema, SafeStr

# No character that a store refuses.
Room = Annotated[
    str,
    Field(
        min_length=1,
        max_length=64,
        pattern=r"^[\w.\-]+$",
        description="Letters, digits, `_`, `.` and `-`.",
        examples=["general"],
    ),
]


class ChatRoom(BaseRequest):
    """A room."""

    room: Room


class ChatMembers(BaseSchema):
    """Who is in a room."""

    room: str
    """The room."""
    users: list[UUID]
    """The ids of the users."""


class ChatMessage(BaseRequest):
    """A message to a room."""

    room: Room
    text: Annotated[SafeStr, Field(min_length=1, max_length=4000)]
    """Plain text."""

    EXAMPLE: ClassVar = {"room": "general", "text": "Hello"}


class ChatReceived(BaseSchema):
    """A message as the members of its room receive it."""

    id: UUID
    """The message's id; later messages have greater ids."""
    room: str
    """The room that it was sent to."""
    text: str
    """Plain text."""
    user: UUID
    """The id of the sender."""
    create_time: datetime
    """When it was stored."""

    EXAMPLE: ClassVar = {"room": "general", "text": "Hello"}


class ChatHistoryQuery(BaseRequest):
    """A page of a room's messages: those before the message `before`, or the latest."""

    room: Room
    before: UUID | None = None
    """Only messages before the one with this id."""
    limit: int = Field(50, ge=1, le=100)
    """At most so many messages."""

    EXAMPLE: ClassVar = {"room": "general", "limit": 50}


class ChatHistory(BaseSchema):
    """Messages of a room, newest first; `before` requests the next page, and is null on the last."""

    records: list[ChatReceived]
    """The messages, newest first."""
    before: UUID | None
    """Send it as `before` to get the next page; null on the last one."""
