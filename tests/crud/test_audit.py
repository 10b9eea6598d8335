"""Each filter of the audit log is served by the index that has its order, on the first page and on later ones."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from itertools import combinations, takewhile
from typing import Any
from uuid import UUID

import pytest
from bson import Binary
from pymongo import ASCENDING, DESCENDING
from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

from src.core.config import settings
from src.core.list_filters import QuerySpec, Where
from src.core.resources import Resources
from src.core.stores.documents import MongoClient
from src.crud.audit import AuditCRUD
from src.models.audit import AuditLog
from src.schemas.audit import AuditQuery
from src.schemas.list_params import CursorQuery

FILTERS: dict[str, Any] = {
    "actor_id": UUID(int=3),
    "action": "POST:/api/v1/users",
    "result": "failure",
    "api_key_id": UUID(int=5),
    "request_id": "7",
    "acted_by": UUID(int=7),
}
# Each choice of filters, none and all of them as well.
CHOICES = [dict(chosen) for number in range(len(FILTERS) + 1) for chosen in combinations(FILTERS.items(), number)]


class Commands(CommandListener):
    """What was sent to MongoDB."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []

    def started(self, event: CommandStartedEvent) -> None:
        if event.database_name != "admin":  # where it logs in
            self.sent.append(dict(event.command))

    def succeeded(self, event: CommandSucceededEvent) -> None:
        """Nothing to note."""

    def failed(self, event: CommandFailedEvent) -> None:
        """Nothing to note."""


@pytest.fixture
async def commands(resources: Resources, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Commands]:
    """The commands on two entries that pass all filters, with their indexes."""
    await resources.documents.bind(AuditLog)
    stored, commands = AuditLog.get_pymongo_collection(), Commands()
    await stored.delete_many({})
    await resources.documents.create_indexes(AuditLog)
    fields = {**FILTERS, "time": datetime(2026, 1, 1, tzinfo=UTC), "status": 403}
    await AuditCRUD(resources.documents).insert([{**fields, "_id": UUID(int=number)} for number in (1, 2)])
    async with MongoClient(settings.mongo.url, uuidRepresentation="standard", event_listeners=[commands]) as client:
        watched = client[stored.database.name][stored.name].with_options(stored.codec_options)
        with monkeypatch.context() as patch:
            patch.setattr(AuditLog, "get_pymongo_collection", lambda *_: watched)
            yield commands
    await stored.delete_many({})


def declared_indexes() -> list[list[tuple[str, int]]]:
    """The keys of the indexes that have all entries, with the one that every collection has."""
    documents = [index.document for index in AuditLog.Settings.indexes]
    return [[("_id", ASCENDING)], *([*one["key"].items()] for one in documents if not one.get("sparse"))]


def in_bson(values: dict[str, Any]) -> dict[str, Any]:
    return {name: Binary.from_uuid(value) if isinstance(value, UUID) else value for name, value in values.items()}


def has_order(keys: Sequence[tuple[str, int]], command: dict[str, Any]) -> bool:
    """Whether an index has what a `find` returns one after another: MongoDB's rule of equality, sort and range."""
    equal = {name for name, value in command["filter"].items() if not isinstance(value, dict)}
    first = len([*takewhile(lambda key: key[0] in equal, keys)])
    order = [*command["sort"].items()]
    return [*keys[first : first + len(order)]] in (order, [(name, -direction) for name, direction in order])


def stages(plan: dict[str, Any]) -> list[str]:
    return [plan["stage"], *(stages(plan["inputStage"]) if "inputStage" in plan else [])]


def used_index(plan: dict[str, Any]) -> Any:
    return plan.get("indexName") or used_index(plan["inputStage"])


@pytest.mark.parametrize("after", [None, {"id__lt": UUID(int=9)}], ids=["first page", "later page"])
@pytest.mark.parametrize("name", FILTERS)
async def test_a_filter_uses_its_index(resources: Resources, name: str, after: Where | None) -> None:
    await resources.documents.bind(AuditLog)
    await AuditLog.get_pymongo_collection().delete_many({})  # those of other tests would have to be indexed first
    await resources.documents.create_indexes(AuditLog)
    entries = AuditCRUD(resources.documents)
    found = await entries._query(QuerySpec({name: FILTERS[name]}), after=after)
    cursor = AuditLog.get_pymongo_collection().find(found.get_filter_query()).sort("_id", -1).limit(20)
    plan = (await cursor.explain())["queryPlanner"]["winningPlan"]
    assert "IXSCAN" in stages(plan), plan
    assert used_index(plan) == f"{name}_1__id_-1"


async def test_a_page_is_one_find_in_the_order_of_an_index(commands: Commands, resources: Resources) -> None:
    """It counts and sorts nothing, and a later page starts at its position; any filter's index serves several."""
    entries = AuditCRUD(resources.documents)
    for chosen in CHOICES:
        commands.sent.clear()
        (newest,), cursor = await entries.cursor(AuditQuery(limit=1, **chosen))
        (oldest,), end = await entries.cursor(AuditQuery(limit=1, cursor=cursor or "", **chosen))
        assert (newest.id, oldest.id, end) == (UUID(int=2), UUID(int=1), None)
        for find, position in zip(commands.sent, [{}, {"_id": {"$lt": Binary.from_uuid(newest.id)}}], strict=True):
            assert find.keys() & {"find", "skip", "hint", "sort", "limit"} == {"find", "sort", "limit"}
            assert (find["filter"], find["limit"]) == (in_bson(chosen | position), 2)
            serving = {keys[0][0] for keys in declared_indexes() if has_order(keys, find)}
            assert serving >= (chosen.keys() or {"_id"}), find


def test_an_index_without_the_order_is_none() -> None:
    find = {"filter": {"result": "failure", "_id": {"$lt": 2}}, "sort": {"_id": -1}}
    assert not has_order([("result", ASCENDING)], find)
    assert not has_order([("result", ASCENDING), ("time", ASCENDING), ("_id", DESCENDING)], find)
    assert not has_order([("action", ASCENDING), ("_id", DESCENDING)], find)
    assert has_order([("result", ASCENDING), ("_id", ASCENDING)], find)


def test_every_declared_filter_is_tried() -> None:
    assert set(AuditQuery.model_fields) - set(CursorQuery.model_fields) == set(FILTERS)
