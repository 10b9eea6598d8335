"""The same events for our server and, by hand, for python-socketio's own; and a server for the flood benchmark.

uvicorn scripts.bench.socket_servers:ours
uvicorn scripts.bench.socket_servers:bare
uvicorn scripts.bench.socket_servers:flooded
"""

import asyncio
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
    """The payload."""

    room: str
    text: str
    tags: list[str] = []


class Received(BaseModel):
    """The ack."""

    room: str
    text: str
    user: str
    total: int


class Session:
    """A stand-in for a transaction."""

    opened = closed = 0


async def get_session() -> AsyncIterator[Session]:
    """A generator dependency."""
    session = Session()
    session.opened += 1
    try:
        yield session
    finally:
        session.closed += 1


async def get_user(sid: SID) -> str:
    """A nested dependency."""
    return f"user_{sid[-4:]}"


async def get_service(
    session: Annotated[Session, Depends(get_session)], user: Annotated[str, Depends(get_user)]
) -> Any:
    """The dependency of the handlers."""
    return session, user


# No event is rejected, but the cost of counting is measured.
unlimited = Limits(events_per_second=1_000_000, burst=1_000_000, queued_packets=100_000, queued_bytes=1 << 30)
server = AsyncServer(limits=unlimited, transports=["websocket"])


@server.on("say")
async def say(message: Message, service: Annotated[Any, Depends(get_service)]) -> Received:
    """Acknowledge with a model."""
    session, user = service
    return Received(room=message.room, text=message.text, user=user, total=session.opened)


@server.on("shout")
async def shout(count: int, server: Server) -> None:
    """Broadcast `count` times."""
    for number in range(count):
        await server.emit("shouted", {"number": number, "text": "x" * 100})


stock = socketio.AsyncServer(async_mode="asgi", transports=["websocket"])


@stock.on("say")  # type: ignore[untyped-decorator]  # python-socketio ships no types
async def say_by_hand(sid: str, data: Any) -> Any:
    """The same by hand."""
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
    """The same by hand."""
    for number in range(count):
        await stock.emit("shouted", {"number": number, "text": "x" * 100})


guarded = AsyncServer(transports=["websocket"])


@guarded.on("slow")
async def slow() -> None:
    """Take some time, like an event that waits for a store."""
    await asyncio.sleep(0.05)


@asynccontextmanager
async def _watched(app: FastAPI) -> AsyncIterator[None]:
    async def watch() -> None:
        while True:
            app.state.tasks = max(app.state.tasks, len(asyncio.all_tasks()))
            await asyncio.sleep(0.01)

    app.state.tasks = 0
    watching = asyncio.create_task(watch())
    yield
    watching.cancel()


def _application(lifespan: Any = None) -> FastAPI:
    app = FastAPI(lifespan=lifespan)

    @app.get("/livez")
    async def livez() -> None: ...

    @app.get("/report")
    async def report() -> dict[str, int]:
        tasks, app.state.tasks = app.state.tasks, 0
        return {"tasks": tasks}

    return app


ours = server.asgi(_application())
flooded = guarded.asgi(_application(_watched))
bare = socketio.ASGIApp(stock, other_asgi_app=_application())
