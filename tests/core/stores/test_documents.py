import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from pymongo import AsyncMongoClient
from pymongo.asynchronous.collection import AsyncCollection

from scripts.local.ports import Ports
from src.core.resources import Resources
from src.core.stores.document_migrations import COLLECTION, Database, DocumentMigration, migrate_documents
from src.core.stores.documents import Documents, TransactionsUnsupportedError
from src.core.stores.errors import as_unavailable
from src.crud.sequence import SequenceCRUD
from src.models import DOCUMENTS
from src.models.audit import AuditLog


@pytest.fixture
async def collection(resources: Resources) -> AsyncIterator[AsyncCollection[dict[str, Any]]]:
    collection = resources.mongo[f"test_{uuid4().hex}"]
    await collection.insert_one({"_id": 0})
    yield collection
    await collection.drop()


@pytest.fixture
def single_server(tmp_path: Path) -> Iterator[str]:
    """The URL of a server without a replica set."""
    port = str(Ports.free().mongodb)
    options = ["--standalone", "--host", "127.0.0.1", "--port", port, "--storage-path", str(tmp_path / "data")]
    with (tmp_path / "log").open("w") as log:
        command = [sys.executable, "-m", "secantus", *options]
        process = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | {"HOME": str(tmp_path)})  # noqa: S603 - ours
        yield f"mongodb://127.0.0.1:{port}/?directConnection=true"
        process.kill()
        process.wait()


async def keys(collection: AsyncCollection[dict[str, Any]]) -> list[Any]:
    return [row["_id"] async for row in collection.find().sort("_id")]


class TestATransaction:
    async def test_stores_everything(self, resources: Resources, collection: AsyncCollection[dict[str, Any]]) -> None:
        async with resources.documents.transaction() as session:
            await collection.insert_many([{"_id": 1}, {"_id": 2}], session=session)
        assert await keys(collection) == [0, 1, 2]

    async def test_that_fails_stores_nothing(
        self, resources: Resources, collection: AsyncCollection[dict[str, Any]]
    ) -> None:
        async def fail() -> None:
            async with resources.documents.transaction() as session:
                await collection.insert_one({"_id": 1}, session=session)
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await fail()
        assert await keys(collection) == [0]

    async def test_is_not_seen_before_it_ends(
        self, resources: Resources, collection: AsyncCollection[dict[str, Any]]
    ) -> None:
        async with resources.documents.transaction() as session:
            await collection.insert_one({"_id": 1}, session=session)
            assert await keys(collection) == [0]

    async def test_that_conflicts_with_another_is_unavailable(
        self, resources: Resources, collection: AsyncCollection[dict[str, Any]]
    ) -> None:
        async def change() -> None:
            async with resources.documents.transaction() as session:
                await collection.update_one({"_id": 0}, {"$set": {"by": 2}}, session=session)

        async with resources.documents.transaction() as session:
            await collection.update_one({"_id": 0}, {"$set": {"by": 1}}, session=session)
            with pytest.raises(Exception) as caught:
                await change()
        assert as_unavailable(caught.value)

    @pytest.mark.slow
    async def test_is_refused_by_a_single_server(self, single_server: str) -> None:
        async with AsyncMongoClient[dict[str, Any]](single_server, timeoutMS=20_000) as client:
            with pytest.raises(TransactionsUnsupportedError):
                await Documents(client["test"]).transaction().__aenter__()


class TestACounter:
    async def test_gives_50_callers_at_once_a_number_each(self, resources: Resources) -> None:
        sequences, name = SequenceCRUD(resources.documents), uuid4().hex
        numbers = await asyncio.gather(*(sequences.get_next_sequence(name) for _ in range(50)))
        assert sorted(numbers) == list(range(1, 51))

    async def test_counts_from_one(self, resources: Resources) -> None:
        name = uuid4().hex
        assert [await SequenceCRUD(resources.documents).get_next_sequence(name) for _ in range(3)] == [1, 2, 3]


class Step:
    """A migration that records its runs."""

    def __init__(self, done: list[str], name: str, error: Exception | None = None) -> None:
        self.done = done
        self.name = name
        self.error = error

    async def apply(self, database: Database) -> None:
        await asyncio.sleep(0.01)  # lets another deployment in, if it can
        if self.error is not None:
            raise self.error
        self.done.append(self.name)

    def as_migration(self) -> DocumentMigration:
        return DocumentMigration(self.name, self.apply)


@pytest.fixture
async def records(resources: Resources) -> AsyncIterator[AsyncCollection[dict[str, Any]]]:
    records = resources.mongo[COLLECTION]
    yield records
    await records.delete_many({})


@pytest.mark.usefixtures("records")
class TestMigrations:
    async def test_run_once_in_order(self, resources: Resources) -> None:
        done: list[str] = []
        steps = [Step(done, name).as_migration() for name in ("b", "a")]
        answers = [
            await migrate_documents(resources.settings.sql, resources.mongo, steps[:count]) for count in (1, 2, 2)
        ]
        assert (answers, done) == ([["b"], ["a"], []], ["b", "a"])

    async def test_of_two_deployments_at_once_run_once(self, resources: Resources) -> None:
        done: list[str] = []
        steps = [Step(done, name).as_migration() for name in ("a", "b", "c")]
        both = (migrate_documents(resources.settings.sql, resources.mongo, steps) for _ in range(2))
        answers = await asyncio.gather(*both)
        assert (sorted(map(len, answers)), done) == ([0, 3], ["a", "b", "c"])

    async def test_that_failed_run_again_before_later_ones(self, resources: Resources) -> None:
        done: list[str] = []
        steps = [Step(done, "a"), Step(done, "b", ZeroDivisionError()), Step(done, "c")]
        with pytest.raises(ZeroDivisionError):
            await migrate_documents(resources.settings.sql, resources.mongo, [step.as_migration() for step in steps])
        steps[1].error = None
        await migrate_documents(resources.settings.sql, resources.mongo, [step.as_migration() for step in steps])
        assert done == ["a", "b", "c"]


class TestIndexes:
    async def test_are_created_by_the_deployment(self, resources: Resources) -> None:
        await resources.mongo.drop_collection("audit_logs")
        documents = Documents(resources.mongo)
        await documents.bind(DOCUMENTS[0])
        before = await resources.mongo["audit_logs"].index_information()
        await documents.create_indexes(*DOCUMENTS)
        after = await resources.mongo["audit_logs"].index_information()
        assert (len(before), len(after)) == (0, 1 + len(AuditLog.Settings.indexes))
