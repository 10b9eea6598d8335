"""The Socket.IO server of the product, with its events."""

from dataclasses import fields
from typing import Any

import structlog

from src.core.config import Settings
from src.core.realtime.event_bus import EventBus, ReplaySettings
from src.core.security.token import TokenIssuer
from src.core.stores.errors import as_unavailable
from src.deps.permission import require_permission
from src.schemas.events import SERVICE_EVENTS
from src.websockets.asyncapi.document import create_document
from src.websockets.engine.redis_manager import RedisManager
from src.websockets.events import chat, connection, notice
from src.websockets.limits import Limits
from src.websockets.recovery.recovery import Recovery
from src.websockets.registry import SocketEvent
from src.websockets.server import AsyncServer

log = structlog.get_logger(__name__)
MODULES = (
    connection,
    chat,
    notice,
)


def create_server(settings: Settings) -> AsyncServer:
    """A server that shares rooms and events with the other processes through Redis.

    The list of origins is that of REST.
    """
    tokens = TokenIssuer(settings.auth)

    def owner(auth: Any) -> str:
        """A connection belongs to a login session, whatever token shows it."""
        return tokens.read_access(auth["token"]).session_id

    memory = ReplaySettings(settings.sockets.recovery_seconds, settings.sockets.recovery_messages)
    channel = EventBus(settings.REDIS_DATABASE_URL, memory)
    server = AsyncServer(
        strict=settings.ENVIRONMENT.is_debug,
        explain=_outage,
        limits=Limits(**settings.sockets.model_dump(include={field.name for field in fields(Limits)})),
        recovery=Recovery(channel, owner),
        client_manager=RedisManager(channel),
        cors_allowed_origins=settings.cors.origins or None,
        transports=settings.sockets.transports,
    )
    for module in MODULES:
        server.include_router(module.router)
    server.recheck(connection.recheck)
    server.emits(SERVICE_EVENTS)
    return server


def describe(server: AsyncServer, settings: Settings) -> dict[str, Any]:
    """The AsyncAPI document of the product's events."""
    return create_document(server, title=settings.app.name, version=settings.app.version, note=_who_may)


def _outage(error: Exception) -> Exception | None:
    """A store that is away is told as 4503, as REST tells it as 503."""
    unavailable = as_unavailable(error)
    if unavailable is not None:
        log.warning("store_unavailable", reason=f"{type(error).__name__}: {error}")
    return unavailable


def _who_may(event: SocketEvent) -> str:
    return f"Permission: `SOCKET:{event.name}`." if event.plan.depends_on(require_permission) else "For any login."
