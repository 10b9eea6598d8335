"""Notifications of concurrent runs share one command, and each gets its own result."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest
from celery import states
from redis import Redis

from src.core.config import settings
from src.core.tasks.run_event import STREAM, RunEvent, revocation_key
from src.queues.pool.greenlet_bridge import GreenletBridge
from src.queues.results.run_history import RunHistory, RunNotification, StartInfo
from tests.support.proxy import Proxy, proxied

Write = Callable[[RunHistory, Sequence[RunNotification]], list[StartInfo | None]]


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

    async def from_loop(history: RunHistory, notifications: Sequence[RunNotification]) -> list[StartInfo | None]:
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
    history.record(event(states.RETRY, started.id), is_requeued=True)
    assert history.start(started, is_redelivered=True).redeliveries == 1


async def in_bridge(call: Callable[..., object], *args: object) -> object:
    """Call synchronous code as the asyncio pool does."""
    bridge = GreenletBridge(partial(call, *args))
    value: Any = bridge.switch()
    while not bridge.dead:
        value = bridge.switch(await value)
    return value


class TestAnOutage:
    @pytest.fixture(params=[asyncio.to_thread, in_bridge], ids=["blocking", "from the loop"])
    def call(self, request: pytest.FixtureRequest) -> Callable[..., Coroutine[Any, Any, object]]:
        called: Callable[..., Coroutine[Any, Any, object]] = request.param
        return called

    @pytest.fixture
    async def proxy(self) -> AsyncIterator[Proxy]:
        """A Redis that refuses connections."""
        async with proxied(settings.REDIS_DATABASE_URL) as (self.url, proxy):
            proxy.refuse()
            yield proxy

    @pytest.fixture
    async def history(self, proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[RunHistory]:
        self.failed = asyncio.Event()
        loop = asyncio.get_running_loop()
        report = "src.queues.results.run_history.report_outage"
        monkeypatch.setattr(report, lambda *_: loop.call_soon_threadsafe(self.failed.set))
        history = RunHistory(self.url)
        yield history
        await history._async_script.registered_client.aclose()

    async def test_does_not_keep_a_run_from_starting(self, history: RunHistory, call: Any) -> None:
        assert await call(partial(history.start, event(), is_redelivered=False)) == StartInfo()

    async def test_is_waited_for_before_an_outcome_is_acknowledged(
        self, history: RunHistory, proxy: Proxy, redis: Redis, call: Any
    ) -> None:
        recording = asyncio.create_task(call(history.record, event(states.SUCCESS)))
        await self.failed.wait()
        assert not recording.done()
        await proxy.heal()
        await recording
        assert redis.xlen(STREAM) == 1

    async def test_of_any_length_loses_no_outcome(
        self, history: RunHistory, proxy: Proxy, redis: Redis, call: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        events = [event(state) for state in (states.SUCCESS, states.FAILURE, states.REVOKED)]
        monkeypatch.setattr("src.queues.results.run_history.WAIT_SECONDS", 0)
        for each in events[:2]:
            await call(history.record, each)
        await proxy.heal()
        await call(history.record, events[2])
        entries: Any = redis.xrange(STREAM)
        assert [RunEvent.model_validate_json(fields["event"]) for _, fields in entries] == events
