"""The application in another process, with a proxy in front of each store."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from passlib.context import CryptContext

from scripts.local.applications import WEB_LIMITS
from src.core.resources import Resources
from src.models.user import User
from tests.support.documented import require_documented
from tests.support.login import encrypted
from tests.support.people import PASSWORD, People, Person
from tests.support.process import Process
from tests.support.proxy import Proxy, proxied

URLS = {
    "postgres": "SQL_DATABASE_URL",
    "redis": "REDIS_DATABASE_URL",
    "mongo": "MONGO_DATABASE_URL",
    "s3": "MINIO_ENDPOINT",
}

# Timeouts for tests of stores that do not answer.
IMPATIENT = {
    "SQL_COMMAND_TIMEOUT_SECONDS": "0.8",
    "SQL_CONNECT_TIMEOUT_SECONDS": "0.4",
    "SQL_LOCK_TIMEOUT_SECONDS": "0.4",
    "REDIS_TIMEOUT_SECONDS": "0.5",
    "MONGO_TIMEOUT_SECONDS": "1.5",
    "MINIO_TIMEOUT_SECONDS": "0.4",
}


@dataclass
class Served:
    """The process: its client, its output file, and the proxies of its stores by name."""

    client: httpx.AsyncClient
    output: Path
    stores: dict[str, Proxy]


@asynccontextmanager
async def process(output: Path, *, app: str = "src.main:app", **environment: str) -> AsyncIterator[str]:
    """Run an application, yield its URL, and stop it at the end."""
    command = sys.executable, "-m", "uvicorn", app, "--port", "0", *WEB_LIMITS
    with Process(command, output, os.environ | environment) as running:
        await asyncio.to_thread(running.wait_for, "running on")
        yield re.findall(r"running on (http://[\d.:]+)", running.output)[0]
        await asyncio.to_thread(running.stop)


@asynccontextmanager
async def serve(output: Path, **environment: str) -> AsyncIterator[Served]:
    """Run the application behind proxies."""
    async with AsyncExitStack() as stack:
        stores = {name: await stack.enter_async_context(proxied(os.environ[url])) for name, url in URLS.items()}
        ways = {URLS[name]: url for name, (url, _) in stores.items()}
        address = await stack.enter_async_context(process(output, **environment, **ways))
        hooks = {"response": [require_documented]}
        client = await stack.enter_async_context(httpx.AsyncClient(base_url=address, timeout=30, event_hooks=hooks))
        yield Served(client, output, {name: proxy for name, (_, proxy) in stores.items()})


@pytest.fixture(scope="session")
async def served_process(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    async with serve(tmp_path_factory.mktemp("served") / "output") as served:
        yield served


@pytest.fixture
async def served(served_process: Served) -> AsyncIterator[Served]:
    """The process; its stores work again after each test."""
    yield served_process
    for proxy in served_process.stores.values():
        await proxy.heal()


@pytest.fixture
async def served_admin(resources: Resources, production_hashes: CryptContext) -> AsyncIterator[Person]:
    """An administrator, committed, so that the other process can see them."""
    async with resources.unit_of_work() as uow:
        person = await People(uow, resources).create(is_admin=True, password_hash=production_hashes.hash(PASSWORD))
    yield person
    async with resources.unit_of_work() as uow:
        await uow.session.delete(await uow.session.get_one(User, person.user.id))


@pytest.fixture
def served_client(served: Served) -> httpx.AsyncClient:
    """HTTP client of the process."""
    return served.client


@pytest.fixture
async def served_login(served: Served, served_admin: Person) -> Callable[[], Awaitable[dict[str, str]]]:
    """Makes request bodies for logins to the process."""

    async def make() -> dict[str, str]:
        return {"username": served_admin.user.username, **await encrypted(served.client)}

    return make
