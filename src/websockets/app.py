"""The Socket.IO server of the product, with its events."""

from dataclasses import fields
from typing import Any

from src.core.config import Settings
from src.core.socket_channel import SocketChannel, SocketMemory
from src.core.token import TokenIssuer
from src.websockets.events import chat, connection, notice
from src.websockets.limits import Limits
from src.websockets.recovery import Recovery
from src.websockets.redis_manager import RedisManager
from src.websockets.server import AsyncServer


def create_server(settings: Settings) -> AsyncServer:
    """A server that shares rooms and events with the other processes through Redis.

    The list of origins is that of REST.
    """
    tokens = TokenIssuer(settings.auth)

    def owner(auth: Any) -> str:
        """A connection belongs to a login session, whatever token shows it."""
        return tokens.read_access(auth["token"]).session_id

    memory = SocketMemory(settings.sockets.recovery_seconds, settings.sockets.recovery_messages)
    channel = SocketChannel(settings.REDIS_DATABASE_URL, memory)
    server = AsyncServer(
        limits=Limits(**settings.sockets.model_dump(include={field.name for field in fields(Limits)})),
        recovery=Recovery(channel, owner),
        client_manager=RedisManager(channel),
        cors_allowed_origins=settings.cors.origins or None,
        transports=settings.sockets.transports,
    )
    for module in (connection, chat, notice):
        server.include_router(module.router)
    server.recheck(connection.recheck)
    return server
