"""Each metric of the API moves by its cause; those of workers and beat are tested with these."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from pydantic import TypeAdapter
from redis import Redis
from redis.exceptions import RedisError

from src.core.config import settings
from src.core.effects import TaskCall
from src.core.exceptions import ServiceUnavailableError
from src.core.ops.report import PROCESSES, ProcessReport, minute_of
from src.core.resources import Resources
from src.core.security.hashing import HashPool
from src.core.stores.cache import Cache, CacheKey
from src.core.unit_of_work import UnitOfWork
from src.crud.process_report import ProcessReportCRUD
from src.models.outbox import OutboxMessage
from src.models.task_run import RunState, TaskRun
from src.queues.broker.malformed import DEAD_LETTERS
from src.services.shared_metrics import MAXIMUM_QUEUES, SharedMetrics, _bounded
from src.utils.date import utc_now
from tests.api.test_ops import forget_reports
from tests.queues.schedules import Queue
from tests.support.metrics import Samples, parse
from tests.support.people import People, Person
from tests.support.waiting import eventually


@dataclass
class World:
    """What causes need."""

    client: httpx.AsyncClient
    people: People
    admin: Person
    resources: Resources
    uow: UnitOfWork
    queue: Queue
    broker: Redis


@pytest.fixture
async def world(
    client: httpx.AsyncClient, people: People, admin: Person, resources: Resources, uow: UnitOfWork
) -> AsyncIterator[World]:
    await forget_reports(resources)
    broker = Redis.from_url(str(settings.CELERY_REDIS_URL))
    yield World(client, people, admin, resources, uow, Queue(), broker)
    broker.delete(DEAD_LETTERS)
    await forget_reports(resources)
    await resources.redis.delete(PROCESSES)


async def scrape(client: httpx.AsyncClient) -> Samples:
    response = await client.get("/metrics")
    assert response.status_code == 200
    return parse(response.text)


async def request(world: World) -> None:
    await world.client.get(f"/api/v1/notices/{world.admin.user.id}", headers=world.admin.headers)


async def first_guarded_request(world: World) -> None:
    person = await world.people.create("GET:/api/v1/notices")
    for _ in range(2):
        await world.client.get("/api/v1/notices", headers=person.headers)


async def readiness(world: World) -> None:
    await world.client.get("/readyz")


async def cached(world: World) -> None:
    key = CacheKey(f"test-{uuid4()}", TypeAdapter(int), 60)
    for _ in range(3):
        await Cache(world.resources.redis).get(key, lambda: asyncio.sleep(0, 1))


async def cache_without_redis(world: World) -> None:
    class Broken:
        async def mget(self, keys: Any) -> Any:
            raise RedisError

    broken: Any = Broken()
    await Cache(broken).get(CacheKey("test", TypeAdapter(int), 60), lambda: asyncio.sleep(0, 1))


async def rate_limit(world: World) -> None:
    settings = world.resources.settings
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(settings, "app", settings.app.model_copy(update={"rate_limit_factor": 0.0001}))
        for _ in range(2):
            await world.client.post("/api/v1/auth/token/refresh")


async def hashing(world: World) -> None:
    assert await world.resources.hashing.run(lambda: 1) == 1


async def full_hash_pool(world: World) -> None:
    with pytest.raises(ServiceUnavailableError):
        await HashPool(1, -1).run(lambda: 1)


async def outbox(world: World) -> None:
    late = utc_now() - timedelta(minutes=5)
    world.uow.session.add(OutboxMessage(topic="task", payload={}, create_time=late))
    await world.uow.session.commit()


async def schedules(world: World) -> None:
    late = world.queue.every_second(enabled=True, next_run_at=utc_now() - timedelta(minutes=5))
    world.uow.session.add(late)
    await world.uow.session.commit()


async def sent(world: World) -> None:
    await schedules(world)
    publisher = world.resources.tasks.publisher
    await publisher.send(TaskCall(name="notices.expire", queue=world.queue.name))
    await publisher.send(TaskCall(name="unheard-of", queue=world.queue.name))


async def unfinished(world: World) -> None:
    world.uow.session.add(TaskRun(name="a", state=RunState.STARTED, worker="x@y"))
    await world.uow.session.commit()


async def worker(world: World) -> None:
    report = ProcessReport(kind="worker", name="a@b", reserved={"test": 3})
    await ProcessReportCRUD(world.resources.redis).write(report, minute_of(utc_now()), {})


async def dead_letter(world: World) -> None:
    world.broker.lpush(DEAD_LETTERS, "{}")


ROUTE = {"route": "GET:/api/v1/notices/{noticeId}"}
# The cause, the metric, its labels, and what is added to it at least.
CAUSES: list[tuple[Callable[[World], Awaitable[None]], str, dict[str, str], float]] = [
    (request, "http_requests_total", {**ROUTE, "status": "404"}, 1),
    (request, "http_request_seconds_count", ROUTE, 1),
    (first_guarded_request, "permission_fill_seconds_count", {}, 1),
    (readiness, "store_check_seconds_count", {"store": "postgres"}, 1),
    (cached, "cache_reads_total", {"result": "miss"}, 1),
    (cached, "cache_reads_total", {"result": "hit"}, 2),
    (cache_without_redis, "cache_reads_total", {"result": "unavailable"}, 1),
    (rate_limit, "rate_limited_requests_total", {"error": "request.rate_limited"}, 1),
    (hashing, "password_hashing_seconds_count", {}, 1),
    (full_hash_pool, "password_hashing_rejected_total", {}, 1),
    (outbox, "outbox_waiting", {"topic": "task"}, 1),
    (outbox, "outbox_oldest_seconds", {"topic": "task"}, 300),
    (schedules, "schedules", {"state": "late"}, 1),
    (sent, "tasks_total", {"task": "notices.expire", "state": "sent"}, 1),
    (sent, "tasks_total", {"task": "other", "state": "sent"}, 1),
    (sent, "task_queue_waiting", {"queue": "?"}, 2),
    (dead_letter, "task_messages", {"state": "dead_letters"}, 1),
    (unfinished, "task_runs_unfinished", {"state": "started"}, 1),
    (worker, "task_queue_reserved", {"queue": "test"}, 3),
    (worker, "processes_alive", {"kind": "worker"}, 1),
]


@pytest.mark.parametrize(
    ("cause", "name", "labels", "least"), CAUSES, ids=[f"{cause.__name__} {name}" for cause, name, *_ in CAUSES]
)
async def test_it_moves_by_its_cause(
    world: World, cause: Callable[[World], Awaitable[None]], name: str, labels: dict[str, str], least: float
) -> None:
    labels = {label: world.queue.name if value == "?" else value for label, value in labels.items()}
    sample = name, frozenset(labels.items())
    before = (await scrape(world.client)).get(sample, 0)
    await cause(world)
    added = (await scrape(world.client))[sample] - before
    assert least <= added < least + 60


@pytest.mark.parametrize(("pool", "engine"), [("postgres", "engine"), ("postgres:read", "read_engine")])
async def test_pools_show_what_is_in_use(world: World, pool: str, engine: str) -> None:
    name = "sql_pool_in_use", frozenset({("pool", pool)})
    before = (await scrape(world.client))[name]
    async with getattr(world.resources, engine).connect():
        assert (await scrape(world.client))[name] == before + 1


async def test_hashes_are_pending_until_they_have_run(world: World) -> None:
    begun, done = threading.Event(), threading.Event()
    name = "password_hashing_pending", frozenset[tuple[str, str]]()
    before = (await scrape(world.client))[name]

    def work() -> None:
        begun.set()
        done.wait()

    hashing = asyncio.create_task(world.resources.hashing.run(work))
    await eventually(begun.is_set)
    assert (await scrape(world.client))[name] == before + 1
    done.set()
    await hashing


async def test_queues_are_bounded() -> None:
    bounded = _bounded({f"queue-{number}": number for number in range(1000)} | {"other": 2})
    assert len(bounded) == MAXIMUM_QUEUES + 1
    assert sum(bounded.values()) == sum(range(1000)) + 2


async def test_what_is_shared_is_absent_while_a_store_is_away(
    client: httpx.AsyncClient, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise ServiceUnavailableError(store="postgresql")

    monkeypatch.setattr("src.services.ops.OpsService.overview", fail)
    samples = await scrape(client)
    shared = {family.name for family in SharedMetrics().registry.collect()}
    assert not shared & {name for name, _ in samples}
    assert "process_start_time_seconds" in {name for name, _ in samples}
