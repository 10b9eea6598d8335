from collections.abc import Sequence
from uuid import UUID

from src.core.resources import Resources
from src.crud.chat import ChatCRUD
from src.models.chat import ChatLine
from src.schemas.chat import ChatHistoryQuery, ChatMessage


class ChatService:
    """Stores chat messages in MongoDB, independently of any SQL transaction."""

    def __init__(self, resources: Resources) -> None:
        self.lines = ChatCRUD(resources.documents)

    async def say(self, user_id: UUID, message: ChatMessage) -> ChatLine:
        """Store a message."""
        return await self.lines.create({"room": message.room, "text": message.text, "user_id": user_id})

    async def history(self, query: ChatHistoryQuery) -> tuple[Sequence[ChatLine], bool]:
        """Messages of a room, newest first, and whether there are earlier ones."""
        where = {"room": query.room} | ({"id__lt": query.before} if query.before else {})
        lines = await self.lines.list(where, order=("-id",), limit=query.limit + 1)
        return lines[: query.limit], len(lines) > query.limit
