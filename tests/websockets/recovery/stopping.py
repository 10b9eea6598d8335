"""A process of its own, for tests that stop or kill it: `uvicorn tests.websockets.recovery.stopping:app`."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import pytest
from fastapi import FastAPI

from tests.websockets.recovery.conftest import create, wait_for_redis

wait_for_redis(pytest.MonkeyPatch())
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
