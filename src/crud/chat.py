from typing import ClassVar

from src.crud.crud_beanie import BaseBeanieCRUD
from src.models.chat import ChatLine


class ChatCRUD(BaseBeanieCRUD[ChatLine]):
    """What was said in rooms."""

    model: ClassVar[type[ChatLine]] = ChatLine
