"""The same events twice: written for our server, and by hand for python-socketio's own.

uvicorn scripts.bench.socket_servers:ours
uvicorn scripts.bench.socket_servers:bare
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import socketio
from fastapi import FastAPI
from pydantic import BaseModel, ValidationError

from src.websockets.limits import Limits
from src.websockets.params import SID, Depends, Server
from src.websockets.server import AsyncServer


class Message(BaseModel):
    """What a client says."""

    room: str
    text: str
    tags: list[str] = []


class Received(BaseModel):
    """What the ack holds."""

    room: str
    text: str
    user: str
    total: int


class Session:
    """Stands for a transaction."""

    opened = closed = 0


async def get_session() -> AsyncIterator[Session]:
    """A generator that surrounds the handler."""
    session = Session()
    session.opened += 1
    try:
        yield session
    finally:
        session.closed += 1


async def get_user(sid: SID) -> str:
    """A dependency of a dependency."""
    return f"user_{sid[-4:]}"


async def get_service(
    session: Annotated[Session, Depends(get_session)], user: Annotated[str, Depends(get_user)]
) -> Any:
    """What handlers ask for."""
    return session, user


# No client of the bench is to be refused; what counting costs is measured all the same.
unlimited = Limits(events_per_second=1_000_000, burst=1_000_000, queued_packets=100_000, queued_bytes=1 << 30)
server = AsyncServer(limits=unlimited, transports=["websocket"])


@server.on("say")
async def say(message: Message, service: Annotated[Any, Depends(get_service)]) -> Received:
    """Answer with a model."""
    session, user = service
    return Received(room=message.room, text=message.text, user=user, total=session.opened)


@server.on("shout")
async def shout(count: int, server: Server) -> None:
    """Broadcast some times."""
    for number in range(count):
        await server.emit("shouted", {"number": number, "text": "x" * 100})


stock = socketio.AsyncServer(async_mode="asgi", transports=["websocket"])


@stock.on("say")  # type: ignore[untyped-decorator]  # python-socketio ships no types
async def say_by_hand(sid: str, data: Any) -> Any:
    """The same, without any layer."""
    try:
        message = Message.model_validate(data)
    except ValidationError as error:
        return {"code": 1007, "errors": error.errors(include_url=False)}
    async with asynccontextmanager(get_session)() as session:
        user = await get_user(sid)
        received = Received(room=message.room, text=message.text, user=user, total=session.opened)
    return received.model_dump(mode="json")


@stock.on("shout")  # type: ignore[untyped-decorator]  # python-socketio ships no types
async def shout_by_hand(sid: str, count: int) -> None:
    """The same."""
    for number in range(count):
        await stock.emit("shouted", {"number": number, "text": "x" * 100})


def _application() -> FastAPI:
    app = FastAPI()

    @app.get("/livez")
    async def livez() -> None: ...

    return app


ours = server.asgi(_application())
bare = socketio.ASGIApp(stock, other_asgi_app=_application())
