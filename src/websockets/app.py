"""The product's Socket.IO server: its events, settings, limits and recovery."""

from collections.abc import Awaitable, Callable
from dataclasses import fields
from functools import partial
from typing import Any

from src.core.config import Settings
from src.core.exceptions import declared_errors
from src.core.logging import request_id, write_info
from src.core.outages import report_outage
from src.core.realtime.event_bus import EventBus, ReplaySettings
from src.core.realtime.rooms import OPS_ROOM
from src.core.security.actor import current_actor_id
from src.core.security.token import TokenIssuer
from src.core.stores.errors import as_unavailable, summary
from src.core.telemetry.spans import event_span
from src.deps.permission import require_permission
from src.schemas.events import SERVICE_EVENTS
from src.utils.uuid7 import uuid7_text
from src.websockets import errors
from src.websockets.asyncapi.document import create_document
from src.websockets.compiled_event import SocketEvent
from src.websockets.dispatch import EventCall
from src.websockets.engine.overrides import RedisManager
from src.websockets.events import chat, connection, notice, ops
from src.websockets.limits import Limits
from src.websockets.presence import RoomPresence
from src.websockets.recovery import SessionRecovery
from src.websockets.server import AsyncServer

MODULES = (
    connection,
    chat,
    notice,
    ops,
)


def create_server(settings: Settings) -> AsyncServer:
    """Create a server that shares rooms and events with the other processes through Redis.

    Allowed origins are those of REST.
    """
    tokens = TokenIssuer(settings.auth)

    def principal(auth: Any) -> str:
        """A recoverable session belongs to a login session, whichever of its tokens is used."""
        return tokens.read_access(auth["token"]).session_id

    def member(auth: Any) -> str:
        """The members of a room are users, whatever number of connections they have."""
        return str(tokens.read_access(auth["token"]).user_id)

    limits = settings.sockets.model_dump(include={field.name for field in fields(Limits)})
    replay = ReplaySettings(settings.sockets.recovery_seconds, settings.sockets.recovery_messages)
    bus = EventBus(settings.REDIS_DATABASE_URL, replay, partial(report_outage, "redis"))
    server = AsyncServer(
        strict=settings.ENVIRONMENT.checks_events,
        translate_error=_translate_outage,
        limits=Limits(**limits, event_seconds=settings.app.request_timeout_seconds),
        recovery=SessionRecovery(bus, principal),
        presence=RoomPresence(bus, member, lambda room: room == OPS_ROOM or room.startswith(chat.PREFIX)),
        client_manager=RedisManager(bus),
        cors_allowed_origins=settings.cors.origins or None,
        transports=settings.sockets.transports,
    )
    for module in MODULES:
        server.include_router(module.router)
    server.authorization_check(connection.check_authorization)
    server.declare_events(SERVICE_EVENTS)
    server.begin_event = _begin_event
    if settings.telemetry.tracing_enabled:
        server.middleware(_trace)
    return server


def describe(server: AsyncServer, settings: Settings) -> dict[str, Any]:
    """Create the AsyncAPI document of the product's events."""
    return create_document(server, title=settings.app.name, version=settings.app.version, note=_note)


def _begin_event(event: str) -> Callable[[int, float], None]:
    """Give an event an id, as requests have, for its log lines and tasks; the result logs its end."""
    request_id.set(uuid7_text())
    return partial(_log_event, event)


def _log_event(event: str, code: int, seconds: float) -> None:
    entry = {"name": event, "code": code, "ms": round(seconds * 1000, 1)}
    actor = current_actor_id.get()
    if actor:
        entry["user_id"] = str(actor)
    write_info("access", "event", entry)


async def _trace(call: EventCall, proceed: Callable[[], Awaitable[Any]]) -> Any:
    """Begin a trace with each event."""
    with event_span(call.event):
        return await proceed()


def _translate_outage(error: Exception) -> Exception | None:
    """Report a store that is down as 4503, as REST does as 503."""
    unavailable = as_unavailable(error)
    if unavailable is not None:
        report_outage(unavailable.store, summary(error))
    return unavailable


def _note(event: SocketEvent) -> str:
    """Who may send an event, and the names and codes of the errors that are declared with `raises`."""
    guarded = event.plan.depends_on(require_permission)
    who = f"Permission: `SOCKET:{event.name}`." if guarded else "For any login."
    declared = [error for call in (event.handler, *event.plan.callables) for error in declared_errors(call)]
    codes = {error.error: errors.describe(error, event.name)["code"] for error in declared}
    listed = ", ".join(f"`{name}` ({code})" for name, code in sorted(codes.items()))
    return f"{who} Errors: {listed}." if listed else who
