"""What the protocol suites of Socket.IO and Engine.IO talk to: our servers, and plain ones with the same events.

uvicorn scripts.check.protocol_servers:ours     see APPLICATIONS of protocol.py for the others
"""

import logging
from typing import Any

import engineio
import socketio
from fastapi import FastAPI

from src.websockets.engine.overrides.engine import Engine
from src.websockets.limits import Limits
from src.websockets.params import SID, Arguments, Auth, Namespace, Server
from src.websockets.router import SocketRouter
from src.websockets.server import AsyncServer

logging.disable()  # python-engineio logs a traceback for each invalid packet
OPTIONS: dict[str, Any] = {"ping_interval": 0.3, "ping_timeout": 0.2, "max_http_buffer_size": 1_000_000}
NAMESPACES = "/", "/custom"
LIMITS = Limits(connect_seconds=1)

rest = FastAPI()
rest.get("/livez")(lambda: None)


def our_socketio(**options: Any) -> socketio.ASGIApp:
    """Our server, with handlers in its own style."""
    server = AsyncServer(limits=LIMITS, **OPTIONS, **options)
    for namespace in NAMESPACES:
        router = SocketRouter(namespace=namespace)

        @router.on("connect")
        async def connect(sid: SID, auth: Auth, server: Server, namespace: Namespace) -> None:
            await server.emit("auth", auth or {}, to=sid, namespace=namespace)

        @router.on("message")
        async def message(values: Arguments, sid: SID, server: Server, namespace: Namespace) -> None:
            await server.emit("message-back", tuple(values), to=sid, namespace=namespace)

        @router.on("message-with-ack")
        async def message_with_ack(values: Arguments) -> Any:
            return tuple(values)

        server.include_router(router)
    return server.asgi(rest)


def plain_socketio(**options: Any) -> socketio.ASGIApp:
    """python-socketio's server."""
    server = socketio.AsyncServer(async_mode="asgi", **OPTIONS, **options)

    def add(namespace: str) -> None:
        async def connect(sid: str, environ: dict[str, Any], auth: Any) -> None:
            await server.emit("auth", auth or {}, to=sid, namespace=namespace)

        async def message(sid: str, *values: Any) -> None:
            await server.emit("message-back", values, to=sid, namespace=namespace)

        async def message_with_ack(sid: str, *values: Any) -> Any:
            return values

        server.on("connect", connect, namespace=namespace)
        server.on("message", message, namespace=namespace)
        server.on("message-with-ack", message_with_ack, namespace=namespace)

    for namespace in NAMESPACES:
        add(namespace)
    return socketio.ASGIApp(server, other_asgi_app=rest)


def echo(server: engineio.AsyncServer) -> engineio.ASGIApp:
    """An Engine.IO server that sends back what it receives."""

    async def connect(sid: str, environ: dict[str, Any]) -> None:
        if isinstance(server, Engine):
            server.watch_requests(sid)

    server.on("connect", connect)
    server.on("message", server.send)
    return engineio.ASGIApp(server, other_asgi_app=rest, engineio_path="engine.io")


def our_engineio() -> engineio.ASGIApp:
    """The engine of our server alone."""
    engine = Engine(async_mode="asgi", **OPTIONS)
    engine.limits = LIMITS
    engine.on_overflow = lambda _: None
    return echo(engine)


ours, plain = our_socketio(), plain_socketio()
ours_always, plain_always = our_socketio(always_connect=True), plain_socketio(always_connect=True)
our_engine, plain_engine = our_engineio(), echo(engineio.AsyncServer(async_mode="asgi", **OPTIONS))
