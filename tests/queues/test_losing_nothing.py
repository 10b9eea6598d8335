"""No task is lost when a worker is stopped, killed, or cut off from Redis, in each pool."""

import json
import os
import signal
from base64 import b64decode
from collections.abc import Iterator
from functools import partial

import psutil
import pytest
from celery import states
from redis import Redis

from src.queues.app import app
from tests.queues import sample
from tests.queues.conftest import Run
from tests.queues.restartable import RestartableRedis
from tests.support.pools import ASYNCIO, POOLS, PREFORK, Pool
from tests.support.waiting import PATIENCE_SECONDS, patience, wait_until

pytestmark = pytest.mark.worker

TASKS = 200
END_OF_OUTAGE = "store_available", "Connected to"


@pytest.fixture(params=POOLS, ids=lambda pool: pool.name)
def pool(request: pytest.FixtureRequest) -> Pool:
    pool: Pool = request.param
    return pool


@pytest.fixture
def names() -> set[str]:
    return {str(number) for number in range(TASKS)}


@pytest.fixture
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RestartableRedis]:
    """A Redis server for this test's broker and results."""
    with RestartableRedis(tmp_path_factory.mktemp("redis")) as store:
        yield store


def test_another_worker_runs_the_tasks_of_a_killed_one(
    run: Run, pool: Pool, redis: Redis, key: str, names: set[str]
) -> None:
    doomed, other = (pool.start(run, key, "-n", f"{name}@test") for name in ("doomed", "other"))
    doomed.wait_for("ready.")
    other.wait_for("ready.")
    for name in names:
        sample.effect.apply_async((key, name), queue=key)
    wait_until(lambda: redis.scard(f"{key}:started") >= 4)
    doomed.kill()
    wait_until(lambda: redis.smembers(key) == names)


def test_a_stopping_worker_finishes_running_tasks(run: Run, pool: Pool, redis: Redis, key: str) -> None:
    worker = pool.start(run, key)
    worker.wait_for("ready.")
    sample.work.apply_async((key, "finished"), queue=key)
    wait_until(lambda: redis.llen(f"{key}:started"))
    family = worker.family()
    assert worker.stop() == 0
    assert redis.lrange(key, 0, -1) == ["finished"]
    assert psutil.wait_procs(family, timeout=5)[1] == []
    assert "stores_closed" in worker.log.read_text()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT], ids=lambda number: number.name)
@pytest.mark.parametrize("transport", ["bulk", "stock"])
def test_every_finished_task_is_acknowledged_when_the_worker_ends(
    run: Run, pool: Pool, redis: Redis, key: str, number: signal.Signals, transport: str
) -> None:
    worker = pool.start(run, key, "-l", "debug", CELERY_BULK_TRANSPORT=str(transport == "bulk"))
    worker.wait_for("ready.")
    results = {name: sample.work.apply_async((key, name), queue=key) for name in (f"<{number}>" for number in range(8))}
    wait_until(lambda: worker.output.count("] received") >= 4 and redis.llen(f"{key}:started") >= 2)
    os.kill(worker.psutil.pid, number)
    wait_until(lambda: worker.code is not None)
    # Only a cold shutdown kills processes, also between a task's effect and its outcome.
    is_killed = (pool.name, number) == ("prefork", signal.SIGQUIT)
    effects = redis.lrange(key, 0, -1)
    finished = [name for name in map(str, effects) if not is_killed or results[name].state == states.SUCCESS]
    assert finished or number == signal.SIGQUIT
    assert [name for name in finished if name in remaining_names(key)] == []


def remaining_names(queue: str) -> list[str]:
    """The second arguments of the messages in a queue, and of its unacknowledged messages."""
    with Redis.from_url(str(app.conf.broker_url), decode_responses=True) as broker:
        unacknowledged = (json.loads(record)[0] for record in broker.hvals("unacked"))
        messages = [json.loads(message) for message in broker.lrange(queue, 0, -1)]
        messages += [one for one in unacknowledged if one["properties"]["delivery_info"]["routing_key"] == queue]
    return [json.loads(b64decode(message["body"]))[0][1] for message in messages]


def test_a_cold_shutdown_requeues_its_tasks_at_once(run: Run, redis: Redis, key: str) -> None:
    worker = ASYNCIO.start(run, key, "-n", "cold@test")
    worker.wait_for("ready.")
    result = sample.wait_for.apply_async((key,), queue=key)
    wait_until(lambda: redis.llen(f"{key}:started") == 1)
    os.kill(worker.psutil.pid, signal.SIGQUIT)
    wait_until(lambda: worker.code is not None)
    successor = ASYNCIO.start(run, key, "-n", "successor@test")
    successor.wait_for("ready.")
    wait_until(lambda: redis.llen(f"{key}:started") == 2, 3 * patience())
    redis.rpush(f"{key}:go", "by the successor")
    assert result.get(timeout=PATIENCE_SECONDS) == "by the successor"


def test_redis_may_be_restarted_under_load(
    run: Run, pool: Pool, redis: Redis, key: str, names: set[str], store: RestartableRedis
) -> None:
    worker = pool.start(run, key, CELERY_REDIS_URL=store.url)
    worker.wait_for("ready.")
    store.send(key, names)
    wait_until(lambda: redis.scard(f"{key}:started") >= 4)
    processes = worker.family()
    store.restart()
    wait_until(lambda: redis.smembers(key) == names)
    wait_until(lambda: store.states() == {"SUCCESS": TASKS})
    lines = (line for line in worker.output.splitlines() if '"level":"' in line and '"level":"info"' not in line)
    begins = [event for line in lines if not (event := json.loads(line)["event"]).startswith(END_OF_OUTAGE)]
    assert len(begins) <= len(processes), begins


def has_run(redis: Redis, key: str, names: set[str], lost: int = 0) -> bool:
    return len(names - set(redis.smembers(key))) <= lost


@pytest.mark.parametrize(
    ("pool", "transport", "lost"),
    [
        pytest.param(ASYNCIO, "bulk", 0, id="asyncio-bulk"),
        pytest.param(PREFORK, "bulk", 0, id="prefork-bulk"),
        pytest.param(PREFORK, "stock", 1, id="prefork-stock"),
    ],
)
def test_redis_may_be_killed_again_and_again(
    run: Run, pool: Pool, transport: str, lost: int, redis: Redis, key: str, store: RestartableRedis
) -> None:
    """kombu's own transport takes a message before it records it: a kill in between loses that one."""
    worker = pool.start(run, key, CELERY_REDIS_URL=store.url, CELERY_BULK_TRANSPORT=str(transport == "bulk"))
    worker.wait_for("ready.")
    for kill in range(3):
        names = {f"{kill}-{number}" for number in range(50)}
        store.send(key, names)
        wait_until(partial(has_run, redis, key, {min(names)}))
        store.kill()
        worker.wait_until(partial(has_run, redis, key, names, lost))
