"""Notifications of concurrent runs share one command, and each gets its own result."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from uuid import UUID, uuid4

import pytest
from celery import states
from redis import Redis

from src.core.config import settings
from src.core.tasks.run_event import STREAM, RunEvent, revocation_key
from src.queues.results.run_history import RunHistory, RunNotification, StartInfo

Write = Callable[[RunHistory, Sequence[RunNotification]], list[StartInfo]]


def event(state: str = states.STARTED, run: UUID | None = None) -> RunEvent:
    return RunEvent(id=run or uuid4(), name="sample.add", state=state)


@pytest.fixture
def redis() -> Iterator[Redis]:
    with Redis.from_url(settings.REDIS_DATABASE_URL, decode_responses=True) as redis:
        redis.delete(STREAM)
        yield redis
        redis.delete(STREAM)


@pytest.fixture(params=["blocking", "from the loop"])
def write(request: pytest.FixtureRequest) -> Write:
    """Write as processes and threads do, and as the asyncio pool does."""

    async def from_loop(history: RunHistory, notifications: Sequence[RunNotification]) -> list[StartInfo]:
        try:
            return await history._write_from_loop(notifications)
        finally:
            await history._async_script.registered_client.aclose()
            del history._async_script  # its connection belongs to the loop that ends here

    if request.param == "blocking":
        return RunHistory._write
    return lambda history, notifications: asyncio.run(from_loop(history, notifications))


def test_each_notification_gets_the_result_of_its_run(redis: Redis, write: Write) -> None:
    notifications = [
        RunNotification(event(states.SUCCESS)),
        RunNotification(event(), starts=True),
        RunNotification(event(), starts=True, is_redelivered=True),
        RunNotification(event(states.RETRY), is_requeued=True),
        RunNotification(event(), starts=True, is_redelivered=True),
        RunNotification(event(), starts=True),
    ]
    redis.set(revocation_key(notifications[1].event.id), 1)
    redis.set(revocation_key(notifications[4].event.id), 1)
    history = RunHistory(settings.REDIS_DATABASE_URL)
    first, again = write(history, notifications), write(history, notifications)
    assert first == [StartInfo(), StartInfo(True), StartInfo(False, 1), StartInfo(), StartInfo(True, 1), StartInfo()]
    assert again == [StartInfo(), StartInfo(True), StartInfo(False, 2), StartInfo(), StartInfo(True, 2), StartInfo()]
    assert redis.xlen(STREAM) == 2 * len(notifications)


def test_requeueing_resets_the_redelivery_counter(redis: Redis) -> None:
    history = RunHistory(settings.REDIS_DATABASE_URL)
    started = event()
    assert history.start(started, is_redelivered=True).redeliveries == 1
    history.requeue(event(states.RETRY, started.id))
    assert history.start(started, is_redelivered=True).redeliveries == 1


def test_without_redis_runs_start_anyway(write: Write) -> None:
    history = RunHistory("redis://127.0.0.1:1/0")
    assert write(history, [RunNotification(event(), starts=True), RunNotification(event())]) == [
        StartInfo(),
        StartInfo(),
    ]
