"""A process of its own, for tests that stop it: `uvicorn tests.websockets.recovery.stopping:app`."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from tests.websockets.recovery.conftest import create

server = create(os.environ["REDIS_DATABASE_URL"])


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    with server.closes_polls_early():
        yield
    await server.shutdown()


app = server.asgi(FastAPI(lifespan=lifespan))
