"""A process of its own, for tests that stop or kill it.

python -m tests.websockets.recovery.stopping     standard input is a socket that listens
"""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import uvicorn
from fastapi import FastAPI

from tests.websockets.recovery.recoverable import create, wait_for_redis

wait_for_redis(setattr)
server = create(os.environ["REDIS_DATABASE_URL"])
if seconds := os.environ.get("PING_SECONDS"):
    server.eio.ping_interval = server.eio.ping_timeout = float(seconds)


@server.on("talk")
async def talk(room: str) -> None:
    """Emit 0, 1, 2… to a room, until the process ends."""
    for number in count():
        await server.emit("own", number, room=room)
        await asyncio.sleep(0.003)


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    with server.closes_polls_early():
        yield
    await server.shutdown()


rest = FastAPI(lifespan=lifespan)


@rest.get("/")
async def describe() -> dict[str, Any]:
    """The name that other processes know this one by, and whether it hears them."""
    assert server.recovery
    return {"name": server.recovery.bus.process, "is_listening": server.manager.is_listening}


app = server.asgi(rest)

if __name__ == "__main__":
    uvicorn.Server(uvicorn.Config(app, timeout_graceful_shutdown=20)).run([socket.socket(fileno=0)])
