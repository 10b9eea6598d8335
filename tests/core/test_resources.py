import os
import subprocess
import sys

import pytest

from src.core.resources import Resources, current_resources
from tests.support.stores import ROOT
from tests.support.waiting import PATIENCE_SECONDS

LIFECYCLE = """
import asyncio
from sqlalchemy import text
from src.core.config import settings
from src.core.resources import current_resources, open_resources
from src.queues import load_app
from src.queues.publisher import create_outbox
from src.websockets.emitter import SocketEmitter
from src.websockets.server import AsyncServer

async def main():
    async with open_resources(settings, create_outbox(load_app), SocketEmitter(AsyncServer())) as resources:
        assert current_resources() is resources
        {inside}
    try:
        current_resources()
    except RuntimeError:
        print("closed")

asyncio.run(main())
"""


def run(inside: str = "pass", **environment: str) -> str:
    command = [sys.executable, "-W", "error", "-c", LIFECYCLE.replace("{inside}", inside)]
    variables = os.environ | environment
    return subprocess.run(  # noqa: S603 - our own
        command, cwd=ROOT, env=variables, capture_output=True, text=True, check=True, timeout=PATIENCE_SECONDS
    ).stdout.strip()


@pytest.mark.process
class TestResources:
    def test_they_close_with_the_lifespan(self) -> None:
        assert run("await resources.redis.ping(); await resources.mongo.command('ping')") == "closed"

    def test_they_open_while_every_store_is_down(self) -> None:
        down = {
            "SQL_DATABASE_URL": "postgresql+asyncpg://a:b@127.0.0.1:1/c",
            "REDIS_DATABASE_URL": "redis://127.0.0.1:1/0",
            "MONGO_DATABASE_URL": "mongodb://127.0.0.1:1/c",
            "MINIO_ENDPOINT": "http://127.0.0.1:1",
        }
        assert run(**down) == "closed"

    def test_they_are_the_current_ones_of_the_process(self, resources: Resources) -> None:
        assert current_resources() is resources
