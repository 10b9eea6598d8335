"""The Socket.IO server of the product, with its events."""

from src.core.config import Settings
from src.schemas.events import SERVICE_EVENTS
from src.websockets.events import chat, connection, notice
from src.websockets.limits import Limits
from src.websockets.manager import RedisManager
from src.websockets.server import AsyncServer


def create_server(settings: Settings) -> AsyncServer:
    """A server that shares rooms and events with the other processes through Redis.

    The list of origins is that of REST.
    """
    server = AsyncServer(
        strict=settings.ENVIRONMENT.is_debug,
        limits=Limits(**settings.sockets.model_dump(exclude={"transports"})),
        client_manager=RedisManager(settings.REDIS_DATABASE_URL),
        cors_allowed_origins=settings.cors.origins or None,
        transports=settings.sockets.transports,
    )
    for module in (connection, chat, notice):
        server.include_router(module.router)
    server.emits(SERVICE_EVENTS)
    return server
