"""What several runs tell at the same moment goes to Redis together, and each hears what concerns it."""

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
    """How a worker's processes and threads write to the ledger, and how the asyncio pool does."""

    async def from_loop(ledger: RunHistory, notes: Sequence[RunNotification]) -> list[StartInfo]:
        try:
            return await ledger._write_from_loop(notes)
        finally:
            await ledger._script_of_loop.registered_client.aclose()
            del ledger._script_of_loop  # its connection belongs to the loop that ends here

    if request.param == "blocking":
        return RunHistory._write
    return lambda ledger, notes: asyncio.run(from_loop(ledger, notes))


def test_each_hears_of_its_own_run(redis: Redis, write: Write) -> None:
    notes = [
        RunNotification(event(states.SUCCESS)),
        RunNotification(event(), starts=True),
        RunNotification(event(), starts=True, is_redelivered=True),
        RunNotification(event(states.RETRY), goes_back=True),
        RunNotification(event(), starts=True, is_redelivered=True),
        RunNotification(event(), starts=True),
    ]
    redis.set(revocation_key(notes[1].event.id), 1)
    redis.set(revocation_key(notes[4].event.id), 1)
    ledger = RunHistory(settings.REDIS_DATABASE_URL)
    first, again = write(ledger, notes), write(ledger, notes)
    assert first == [StartInfo(), StartInfo(True), StartInfo(False, 1), StartInfo(), StartInfo(True, 1), StartInfo()]
    assert again == [StartInfo(), StartInfo(True), StartInfo(False, 2), StartInfo(), StartInfo(True, 2), StartInfo()]
    assert redis.xlen(STREAM) == 2 * len(notes)


def test_a_run_that_goes_back_is_counted_from_the_beginning(redis: Redis) -> None:
    ledger = RunHistory(settings.REDIS_DATABASE_URL)
    started = event()
    assert ledger.start(started, is_redelivered=True).redeliveries == 1
    ledger.give_back(event(states.RETRY, started.id))
    assert ledger.start(started, is_redelivered=True).redeliveries == 1


def test_without_redis_they_run_all_the_same(write: Write) -> None:
    ledger = RunHistory("redis://127.0.0.1:1/0")
    assert write(ledger, [RunNotification(event(), starts=True), RunNotification(event())]) == [
        StartInfo(),
        StartInfo(),
    ]
