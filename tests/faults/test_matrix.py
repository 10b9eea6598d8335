"""Every kind of request while each store fails in each way, and afterwards."""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from src.core.config import settings
from tests.faults.matrix import DOCUMENT, FAULTS, REQUESTS, SIGNS, STORES, Request, updated
from tests.support.metrics import Samples, parse
from tests.support.people import Person
from tests.support.served import IMPATIENT, Served, serve
from tests.support.waiting import eventually, patience

pytestmark = pytest.mark.process

SETTINGS = IMPATIENT | {"RATE_LIMIT_FACTOR": "0", "REQUEST_TIMEOUT_SECONDS": "3", "REDIS_TIMEOUT_SECONDS": "1"}
# Requests that need a store wait for it this long; a login asks PostgreSQL twice, a new connection for a while first.
SECONDS = {"redis": 1.0, "postgres": 1.2, "mongo": 2.0, "s3": 0.4}
LOSSES = {"audit_lost", "effect_failed"}


@pytest.fixture(scope="module")
async def served_process(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    async with serve(tmp_path_factory.mktemp("matrix") / "output", **SETTINGS) as served:
        yield served


async def send(client: httpx.AsyncClient, person: Person, request: Request) -> tuple[int, float]:
    started = time.monotonic()
    response = await client.request(request.method, request.path, **request.options(person))
    return response.status_code, time.monotonic() - started


async def send_all(served: Served, person: Person) -> dict[Request, tuple[int, float]]:
    results = await asyncio.gather(*(send(served.client, person, request) for request in REQUESTS))
    return dict(zip(REQUESTS, results, strict=True))


def unexpected(results: dict[Request, tuple[int, float]], store: str = "", seconds: float = 1) -> list[str]:
    """The results that differ from the table while this store fails."""
    seconds += 0.5 * patience()
    return [
        f"{request}: {status} after {duration:.2f} s"
        for request, (status, duration) in results.items()
        if status != (503 if store in request.needs else request.status) or duration > seconds
    ]


async def samples(served: Served) -> Samples:
    return parse((await served.client.get("/metrics")).text)


def lines(served: Served, store: str) -> list[dict[str, Any]]:
    """The warnings of its log, without those about another store, and about what an outage loses."""
    entries = (json.loads(line) for line in served.output.read_text().splitlines() if line.startswith("{"))
    warnings = [entry for entry in entries if entry["level"] not in ("debug", "info")]
    return [entry for entry in warnings if entry.get("store", store) == store and entry["event"] not in LOSSES]


# All of them take two minutes.
TRIED = FAULTS if os.environ.get("FAULT_MATRIX") == "full" else ["hang", "reset"]


@pytest.mark.parametrize("fault", TRIED)
@pytest.mark.parametrize("store", STORES)
async def test_a_failing_store_fails_what_needs_it_in_time_and_nothing_else_and_can_be_told(
    served: Served, served_admin: Person, store: str, fault: str
) -> None:

    async def all_work() -> bool:
        return unexpected(await send_all(served, served_admin)) == []

    await eventually(all_work)
    before, written = await samples(served), len(lines(served, store))
    getattr(served.stores[store], fault)()
    during = await send_all(served, served_admin)
    failing = await samples(served)
    await served.stores[store].heal()
    assert unexpected(during, "" if fault == "delay" else store, SECONDS[store]) == []
    await eventually(all_work, 5 * patience())

    metric, reasons = SIGNS[fault]
    label = frozenset({("store", store)})
    name = metric if reasons else f"{metric}_sum"
    assert failing[name, label] > before.get((name, label), 0)
    if reasons:
        await eventually(lambda: len(lines(served, store)) >= written + 2)
        told = lines(served, store)[written:]
        # On a slow machine it may be followed by another one.
        both = ["store_unavailable", "store_available"] * len(told)
        assert [line["event"] for line in told] == both[: len(told)]
        assert told[0]["reason"].startswith(reasons), told
        assert told[1]["failures"] >= sum(store in request.needs for request in REQUESTS)
        assert failing["store_available", label] == 0


class TestTheDocument:
    def test_shows_this_table(self) -> None:
        assert updated(DOCUMENT.read_text()) == DOCUMENT.read_text()

    def test_has_the_defaults(self) -> None:
        groups = [settings.app, settings.sql, settings.redis, settings.mongo, settings.s3]
        fields = [field for group in groups for field in type(group).model_fields.values()]
        defaults = {field.alias: field.default for field in fields}
        assert {setting: defaults[setting] for _, setting, _ in STORES.values()} == {
            setting: seconds for _, setting, seconds in STORES.values()
        }
