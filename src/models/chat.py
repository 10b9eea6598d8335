from typing import ClassVar
from uuid import UUID

from pymongo import DESCENDING, IndexModel

from src.models.document import BaseDocument


class ChatLine(BaseDocument):
    """A chat message in a room; ids are ordered by time."""

    room: str
    text: str
    user_id: UUID

    class Settings:
        """The collection and its indexes."""

        name = "chat_lines"
        use_state_management = False
        indexes: ClassVar[list[IndexModel]] = [IndexModel([("room", DESCENDING), ("_id", DESCENDING)])]
