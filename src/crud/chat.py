from typing import ClassVar

from src.crud.crud_beanie import BaseBeanieCRUD
from src.models.chat import ChatLine


class ChatCRUD(BaseBeanieCRUD[ChatLine]):
    """Chat messages."""

    model: ClassVar[type[ChatLine]] = ChatLine
