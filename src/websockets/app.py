"""The Socket.IO server of the product, with its events."""

from src.core.config import Settings
from src.websockets.events import chat, connection, notice
from src.websockets.limits import Limits
from src.websockets.manager import RedisManager
from src.websockets.server import AsyncServer

MODULES = (
    connection,
    chat,
    notice,
)


def create_server(settings: Settings) -> AsyncServer:
    """A server that shares rooms and events with the other processes through Redis.

    The list of origins is that of REST.
    """
    server = AsyncServer(
        limits=Limits(**settings.sockets.model_dump(exclude={"transports"})),
        client_manager=RedisManager(settings.REDIS_DATABASE_URL),
        cors_allowed_origins=settings.cors.origins or None,
        transports=settings.sockets.transports,
    )
    for module in MODULES:
        server.include_router(module.router)
    return server
