"""Fixtures of most tests: the application on real stores, a transaction that is rolled back, users who call it."""

from collections.abc import AsyncIterator, Iterator
from contextlib import nullcontext
from functools import cache
from unittest.mock import patch

import httpx
import pytest
from passlib.context import CryptContext
from pymongo import _csot
from sqlalchemy.ext.asyncio import async_sessionmaker
from sqlmodel.ext.asyncio.session import AsyncSession

from src.core.effects import TaskCall
from src.core.resources import Resources, current_resources
from src.core.unit_of_work import UnitOfWork
from src.main import app, rest
from src.services.outbox import OutboxService
from src.utils import password
from tests.support.documented import require_documented
from tests.support.people import People, Person


@pytest.fixture(scope="session", autouse=True)
def production_hashes() -> Iterator[CryptContext]:
    """How passwords are hashed in production; in this process, tests hash them in no time."""
    production = password._context
    with patch.object(password, "_context", production.using(argon2__memory_cost=8, argon2__time_cost=1)):
        yield production


@pytest.fixture(scope="session", autouse=True)
def unmeasured_round_trips() -> Iterator[None]:
    """PyMongo does not measure round trips: it would count the time for which the loop stands still between tests.

    It refuses commands at once whose time limit is shorter than the round trips that it measured.
    """
    with patch.object(_csot.MovingMinimum, "get", return_value=0.0):
        yield


@pytest.fixture(scope="session", autouse=True)
def certificates_read_once() -> Iterator[None]:
    """HTTPX reads the trusted certificates for each client, which takes longer than most requests."""
    with patch("httpx._transports.default.create_ssl_context", cache(httpx.create_ssl_context)):
        yield


@pytest.fixture(scope="session")
async def resources() -> AsyncIterator[Resources]:
    """Resources of the application, whose lifespan lasts for the session."""
    async with rest.router.lifespan_context(rest):
        yield current_resources()


@pytest.fixture
async def uow(resources: Resources, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[UnitOfWork]:
    """A unit of work on the test's one transaction, which the application shares and which is rolled back."""
    async with resources.engine.connect() as connection:
        outer = await connection.begin()
        sessions = async_sessionmaker(
            connection, class_=AsyncSession, expire_on_commit=False, join_transaction_mode="create_savepoint"
        )
        monkeypatch.setattr(resources, "sessions", sessions)
        monkeypatch.setattr(resources, "read_sessions", sessions)
        monkeypatch.setattr(resources, "read_connection", lambda: nullcontext(connection))
        async with sessions() as session:
            yield UnitOfWork(session, resources.tasks, resources.events)
        await outer.rollback()


@pytest.fixture
async def client(uow: UnitOfWork) -> AsyncIterator[httpx.AsyncClient]:
    """HTTP client of the application, Socket.IO included, without a network; it only gets documented responses."""
    hooks = {"response": [require_documented]}
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test", event_hooks=hooks) as client:
        yield client


@pytest.fixture
async def people(uow: UnitOfWork, resources: Resources) -> People:
    """Creates users with the permissions that a test grants."""
    return People(uow, resources)


@pytest.fixture
async def admin(people: People) -> Person:
    """An administrator, logged in."""
    return await people.create(is_admin=True)


@pytest.fixture
def sent(resources: Resources, monkeypatch: pytest.MonkeyPatch) -> list[TaskCall]:
    """The tasks that units of work send, in order; none of them reaches the broker."""
    calls: list[TaskCall] = []

    class Publisher:
        async def send(self, call: TaskCall) -> None:
            calls.append(call)

    assert isinstance(resources.tasks, OutboxService)
    monkeypatch.setattr(resources.tasks, "publisher", Publisher())
    return calls
