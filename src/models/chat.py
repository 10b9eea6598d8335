from typing import ClassVar
from uuid import UUID

from pymongo import DESCENDING, IndexModel

from src.models.document import BaseDocument


class ChatLine(BaseDocument):
    """What somebody said in a room; later lines have later ids."""

    room: str
    text: str
    user_id: UUID

    class Settings:
        """Where the documents live, and how they are found."""

        name = "chat_lines"
        use_state_management = False
        indexes: ClassVar[list[IndexModel]] = [IndexModel([("room", DESCENDING), ("_id", DESCENDING)])]
