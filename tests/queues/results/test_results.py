"""Results are stored in batches, and never overwritten by stale ones."""

import asyncio
import threading

import pytest
from celery import states

from src.queues.app import app
from src.queues.pool.micro_batcher import MicroBatcher
from src.queues.results.backend import Result, newest_by_key


class Store:
    """A store that can be held up, and can fail."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.open = threading.Event()
        self.open.set()
        self.error: Exception | None = None

    def write(self, items: list[str]) -> list[str]:
        self.open.wait(10)
        if self.error:
            raise self.error
        self.batches.append(items)
        return [item.upper() for item in items]


def result(key: str, state: str) -> Result:
    return Result(key, state, 0, state)


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def batcher(store: Store) -> MicroBatcher[str, str]:
    return MicroBatcher(lambda items: asyncio.to_thread(store.write, items))


async def test_items_that_arrive_during_a_batch_form_the_next_one(
    store: Store, batcher: MicroBatcher[str, str]
) -> None:
    assert await batcher.put("a") == "A"
    store.open.clear()
    second = batcher.put("b")
    await asyncio.sleep(0)  # now the second batch is in flight
    later = [batcher.put(item) for item in "cde"]
    store.open.set()
    assert [await second, *await asyncio.gather(*later)] == ["B", "C", "D", "E"]
    assert store.batches == [["a"], ["b"], ["c", "d", "e"]]


def test_only_the_newest_state_of_a_task_is_written() -> None:
    written = newest_by_key([result("task", "STARTED"), result("other", "STARTED"), result("task", "SUCCESS")])
    assert [(one.key, one.state) for one in written] == [("task", "SUCCESS"), ("other", "STARTED")]


@pytest.mark.parametrize("ended", ["SUCCESS", "FAILURE"])
def test_a_finished_retry_is_not_overwritten_by_the_retry_state(ended: str) -> None:
    assert newest_by_key([result("task", ended), result("task", "RETRY")]) == [result("task", ended)]


async def test_a_failure_reaches_the_caller_and_the_next_batch_succeeds(
    store: Store, batcher: MicroBatcher[str, str]
) -> None:
    store.error = ConnectionError("no store")
    with pytest.raises(ConnectionError, match="no store"):
        await batcher.put("a")
    store.error = None
    assert await batcher.put("b") == "B"


async def test_a_cancelled_caller_does_not_affect_others(batcher: MicroBatcher[str, str]) -> None:
    cancelled, waiting = batcher.put("a"), batcher.put("b")
    cancelled.cancel()
    assert await waiting == "B"


class TestInRedis:
    @pytest.mark.parametrize(
        ("stored_first", "stale"),
        [
            ("SUCCESS", "FAILURE"),
            ("SUCCESS", "STARTED"),
            ("SUCCESS", "RETRY"),
            ("FAILURE", "RETRY"),
            ("REVOKED", "RETRY"),
        ],
    )
    def test_stale_states_are_dropped(self, key: str, stored_first: str, stale: str) -> None:
        assert stored(key, stored_first, stale) == stored_first

    @pytest.mark.parametrize(
        ("stored_first", "newer"), [("FAILURE", "STARTED"), ("RETRY", "FAILURE"), ("STARTED", "RETRY")]
    )
    def test_newer_states_are_stored(self, key: str, stored_first: str, newer: str) -> None:
        assert stored(key, stored_first, newer) == newer


def stored(key: str, *states_in_order: str) -> str:
    """Store these states in order; returns the one that remains."""
    for state in states_in_order:
        app.backend.store_result(key, ValueError("it") if state in states.EXCEPTION_STATES else None, state)
    return str(app.backend.get_task_meta(key, cache=False)["status"])
