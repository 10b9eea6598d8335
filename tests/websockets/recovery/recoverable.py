"""Servers whose clients recover, for tests in this process and in others."""

from collections.abc import Callable

from src.core.realtime import event_bus
from src.core.realtime.event_bus import EventBus, ReplaySettings
from src.websockets.engine import subscriber
from src.websockets.engine.overrides import RedisManager
from src.websockets.limits import Limits
from src.websockets.params import SID, Server
from src.websockets.recovery import SessionRecovery
from src.websockets.server import AsyncServer
from tests.support.waiting import PATIENCE_SECONDS

REPLAY = ReplaySettings(seconds=30, messages=1000)


def create(url: str, replay: ReplaySettings = REPLAY, limits: Limits | None = None) -> AsyncServer:
    bus = EventBus(url, replay)
    recovery = SessionRecovery(bus, lambda auth: str(auth.get("user")))
    server = AsyncServer(limits=limits, recovery=recovery, client_manager=RedisManager(bus))

    @server.on("join")
    async def join(room: str, sid: SID, server: Server) -> None:
        await server.enter_room(sid, room)

    return server


def wait_for_redis(set_attribute: Callable[[object, str, float], None]) -> None:
    """Let servers wait longer than a second: what these tests claim holds on a busy machine too."""
    for module in (event_bus, subscriber):
        set_attribute(module, "ATTEMPT_SECONDS", PATIENCE_SECONDS)
