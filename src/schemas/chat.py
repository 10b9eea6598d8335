from typing import Annotated
from uuid import UUID

from pydantic import Field

from src.schemas.base import BaseRequest, BaseSchema, Text

Room = Annotated[Text, Field(min_length=1, max_length=64, pattern=r"^[\w.\-]+$")]


class ChatRoom(BaseRequest):
    """Which room."""

    room: Room


class ChatMessage(BaseRequest):
    """A line to a room."""

    room: Room
    text: Annotated[Text, Field(min_length=1, max_length=4000)]


class ChatReceived(BaseSchema):
    """A line as the room's members receive it."""

    room: str
    text: str
    user: UUID
