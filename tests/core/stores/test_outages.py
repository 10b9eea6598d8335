"""Outages of PostgreSQL, MongoDB and S3, told by a metric and two lines (Redis: `test_unavailable.py`)."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Any
from uuid import uuid4

import httpx
import pytest
import structlog
from pydantic import SecretStr
from sqlalchemy import text

from src.core.config import settings
from src.core.health import store_checks
from src.core.resources import Resources
from src.core.storage.minio_storage import MinioStorage
from src.core.stores.documents import create_mongo
from src.core.stores.sql import SQLDatabase
from tests.core.stores.test_unavailable import available
from tests.support.waiting import eventually

pytestmark = pytest.mark.process

# Puts a client into the resources whose store cannot serve.
State = Callable[[Resources, pytest.MonkeyPatch], AbstractAsyncContextManager[None]]


@asynccontextmanager
async def postgresql(
    resources: Resources, patch: pytest.MonkeyPatch, *, role: str = "LOGIN", **parts: Any
) -> AsyncIterator[None]:
    """As a role with these options, whose read-only transactions are the default."""
    name = f"test_{uuid4().hex}"
    async with resources.engine.begin() as connection:
        await connection.execute(text(f"CREATE ROLE {name} PASSWORD 'pw' {role}"))
        await connection.execute(text(f"ALTER ROLE {name} SET default_transaction_read_only = on"))
    url = resources.engine.url.set(**{"username": name, "password": "pw", **parts})
    database = SQLDatabase(settings.sql, url)
    patch.setattr(resources, "sessions", database.sessions)
    yield
    await database.engine.dispose()
    async with resources.engine.begin() as connection:
        await connection.execute(text(f"DROP ROLE {name}"))


@asynccontextmanager
async def mongodb(resources: Resources, patch: pytest.MonkeyPatch, *, url: str) -> AsyncIterator[None]:
    changes = {"database_url": SecretStr(url), "timeout_seconds": 0.3}
    async with create_mongo(settings.mongo.model_copy(update=changes)) as client:
        patch.setattr(resources, "mongo", client["app"])
        yield


@asynccontextmanager
async def s3(resources: Resources, patch: pytest.MonkeyPatch, **changes: Any) -> AsyncIterator[None]:
    storage = MinioStorage(settings.s3.model_copy(update=changes))
    patch.setattr(resources, "storage", storage)
    yield
    storage.close()


MONGODB = settings.mongo.url.rpartition("@")[2].partition("/")[0]
STATES: dict[str, tuple[str, State]] = {
    "read-only": ("postgres", postgresql),
    "wrong password": ("postgres", lambda *each: postgresql(*each, password="wrong")),
    "no login": ("postgres", lambda *each: postgresql(*each, role="NOLOGIN")),
    "no more connections": ("postgres", lambda *each: postgresql(*each, role="LOGIN CONNECTION LIMIT 0")),
    "no such database": ("postgres", lambda *each: postgresql(*each, database="missing")),
    "refused": ("postgres", lambda *each: postgresql(*each, port=1)),
    "MongoDB refused": ("mongo", lambda *each: mongodb(*each, url="mongodb://127.0.0.1:1/app")),
    "MongoDB without login": ("mongo", lambda *each: mongodb(*each, url=f"mongodb://a:wrong@{MONGODB}/app")),
    "S3 refused": ("s3", lambda *each: s3(*each, endpoint_setting="http://127.0.0.1:1")),
    "S3 with a wrong key": ("s3", lambda *each: s3(*each, secret_key=SecretStr("wrong"))),
}


READY = "postgres", "redis", "mongo", "s3"


async def check(resources: Resources, name: str) -> None:
    await store_checks(resources)[name]()


@pytest.mark.parametrize("state", STATES)
class TestAnOutage:
    async def test_can_be_told_from_metrics_and_two_lines(
        self, client: httpx.AsyncClient, resources: Resources, monkeypatch: pytest.MonkeyPatch, state: str
    ) -> None:
        monkeypatch.setattr("src.core.outages.RECHECK_SECONDS", 0.05)
        checks = {name: partial(check, resources, name) for name in READY}
        # Checks keep the client that they began with, and this test exchanges it.
        monkeypatch.setattr("src.core.outages.store_checks", lambda _: checks)
        store, broken = STATES[state]

        async def all_serve() -> bool:
            return set(available().values()) == {1}

        await eventually(all_serve)  # after the outages of other tests
        with structlog.testing.capture_logs() as logs, monkeypatch.context() as patch:
            async with broken(resources, patch):
                ready = [await client.get("/readyz") for _ in range(3)]
                during = available()
                patch.undo()
                await eventually(all_serve)
        assert [response.status_code for response in ready] == [503 if store == "postgres" else 200] * 3
        assert {name for name, value in during.items() if value == 0} == {store}
        told = [(entry["event"], entry["store"]) for entry in logs if entry["log_level"] != "info"]
        assert told == [("store_unavailable", store), ("store_available", store)]
