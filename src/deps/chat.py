from typing import Annotated

from fastapi import Depends

from src.deps.database import ResourcesDep
from src.services.chat import ChatService


async def get_chat_service(resources: ResourcesDep) -> ChatService:
    """The service for chat rooms."""
    return ChatService(resources)


ChatServiceDep = Annotated[ChatService, Depends(get_chat_service)]
