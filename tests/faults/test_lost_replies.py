"""Writes whose replies are lost: done once, and told as done or as an unavailable store, never as a conflict.

Redis commands are sent once more if their connection breaks, and may then run twice.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any, ClassVar
from uuid import uuid4

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy.ext.asyncio import async_sessionmaker
from sqlmodel.ext.asyncio.session import AsyncSession

from src.core.exceptions import NotFoundError
from src.core.resources import Resources
from src.core.storage.minio_storage import MinioStorage
from src.core.storage.port import Part
from src.core.stores.documents import Documents, create_mongo
from src.core.stores.errors import as_unavailable
from src.core.stores.sql import create_engine
from src.crud.crud_beanie import BaseBeanieCRUD
from src.crud.idempotency_key import IdempotencyKeyCRUD
from src.crud.sequence import SequenceCRUD
from src.models.document import BaseDocument
from src.models.mixins import Versioned
from tests.support.proxy import Proxy, proxied
from tests.support.waiting import eventually

pytestmark = pytest.mark.process

Condition = Callable[[], Awaitable[bool]]


class Line(Versioned, BaseDocument):
    text: str

    class Settings:
        name = "test_lost_replies"


class LineCRUD(BaseBeanieCRUD[Line]):
    model: ClassVar[type[Line]] = Line


async def outcome(proxy: Proxy, request: bytes, is_done: Condition, write: Awaitable[object]) -> Exception | None:
    """The error of a write whose reply is lost with its connection; the next connection works."""
    proxy.lose_replies(request)
    writing = asyncio.ensure_future(write)
    await eventually(is_done)
    proxy.reset()
    await proxy.heal()
    try:
        await writing
    except Exception as error:
        return error
    return None


@asynccontextmanager
async def mongo_by_proxy(resources: Resources) -> AsyncIterator[tuple[Documents, Proxy]]:
    async with proxied(os.environ["MONGO_DATABASE_URL"]) as (url, proxy):
        settings = resources.settings.mongo.model_copy(update={"database_url": SecretStr(url)})
        try:
            async with create_mongo(settings) as client:
                yield Documents(client[settings.database]), proxy
        finally:
            await resources.mongo["test_lost_replies"].drop()


async def update(lines: LineCRUD, old: Line) -> None:
    await lines.update(old, {"text": "new"})


# The command, the write, and the lines with their versions when it is done; there was one line before.
WRITES: dict[str, tuple[bytes, Callable[[LineCRUD, Line], Awaitable[object]], list[tuple[str, int]]]] = {
    "create": (b"insert", lambda lines, _: lines.create({"text": "new"}), [("new", 1), ("old", 1)]),
    "create many": (
        b"insert",
        lambda lines, _: lines.create_many([{"text": "new"}, {"text": "newer"}]),
        [("new", 1), ("newer", 1), ("old", 1)],
    ),
    "update": (b"findAndModify", update, [("new", 2)]),
    "upsert of a new one": (
        b"insert",
        lambda lines, _: lines.upsert({"text": "new"}, by=["text"]),
        [("new", 1), ("old", 1)],
    ),
    "upsert of many": (
        b"update",
        lambda lines, _: lines.upsert_many([{"text": "new"}, {"text": "old"}], by=["text"]),
        [("new", 1), ("old", 2)],
    ),
    "purge": (b"delete", lambda lines, old: lines.purge(old), []),
}


class TestMongoDB:
    @pytest.mark.parametrize("name", WRITES)
    async def test_writes_once_and_tells_of_no_conflict(self, resources: Resources, name: str) -> None:
        command, write, expected = WRITES[name]

        async def stored() -> list[tuple[str, int]]:
            rows = await resources.mongo["test_lost_replies"].find().sort("text").to_list()
            return [(row["text"], row["version"]) for row in rows]

        async def is_done() -> bool:
            return await stored() == expected

        async with mongo_by_proxy(resources) as (documents, proxy):
            lines = LineCRUD(documents)
            old = await lines.create({"text": "old"})
            error = await outcome(proxy, command, is_done, write(lines, old))
            assert error is None or as_unavailable(error), error
            assert await stored() == expected

    async def test_counts_once(self, resources: Resources) -> None:
        name = f"test-{uuid4()}"

        async def counted() -> int:
            counter = await resources.mongo["sequences"].find_one({"_id": name})
            return int(counter["value"]) if counter else 0

        async def is_done() -> bool:
            return await counted() == 2

        async with mongo_by_proxy(resources) as (documents, proxy):
            sequences = SequenceCRUD(documents)
            assert await sequences.get_next_sequence(name) == 1
            error = await outcome(proxy, b"findAndModify", is_done, sequences.get_next_sequence(name))
            assert error is None or as_unavailable(error), error
            assert await counted() == 2


class TestPostgreSQL:
    async def test_commits_once_and_a_retry_finds_its_key(self, resources: Resources) -> None:
        key = f"test-{uuid4()}"
        async with proxied(os.environ["SQL_DATABASE_URL"]) as (url, proxy):
            engine = create_engine(resources.settings.sql.model_copy(update={"database_url": SecretStr(url)}))
            sessions = async_sessionmaker(engine, class_=AsyncSession, expire_on_commit=False)
            lossy = replace(resources, sessions=sessions)

            async def acquire() -> bool:
                async with lossy.unit_of_work() as uow:
                    return await IdempotencyKeyCRUD(uow.session).acquire(key)

            async def is_done() -> bool:
                async with resources.unit_of_work() as uow:
                    return await IdempotencyKeyCRUD(uow.session).exists({"key": key})

            error = await outcome(proxy, b"COMMIT", is_done, acquire())
            assert error is not None
            assert as_unavailable(error)
            assert not await acquire()
            await engine.dispose()
        async with resources.unit_of_work() as uow:
            assert await IdempotencyKeyCRUD(uow.session).purge_many({"key": key}) == 1


class TestS3:
    async def test_completes_once_and_a_retry_finds_the_file(self, resources: Resources) -> None:
        key = f"test/{uuid4()}"
        async with proxied(os.environ["MINIO_ENDPOINT"]) as (url, proxy):
            storage = MinioStorage(resources.settings.s3.model_copy(update={"endpoint_setting": url}))

            async def is_done() -> bool:
                return await resources.storage.find(key) is not None

            upload = await storage.begin_upload(key)
            (address,) = await storage.sign_parts(key, upload, [4], timedelta(minutes=1))
            async with httpx.AsyncClient() as client:
                etag = (await client.put(address, content=b"text")).raise_for_status().headers["ETag"]
            parts: list[Any] = [Part(1, etag.strip('"'))]
            error = await outcome(proxy, b"POST ", is_done, storage.complete_upload(key, upload, parts))
            assert error is not None
            assert as_unavailable(error)
            with pytest.raises(NotFoundError):  # which the service takes for done
                await storage.complete_upload(key, upload, parts)
            assert await is_done()
            await storage.remove(key)
            await asyncio.to_thread(storage.close)
