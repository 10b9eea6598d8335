"""Results are stored off the loop, in batches."""

import asyncio
import threading

import pytest
from celery import states

from src.queues.app import app
from src.queues.pool.micro_batcher import MicroBatcher
from src.queues.results.result import Result, last_of_each


class Store:
    """Takes batches, one after the other, when it is let."""

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
def batches(store: Store) -> MicroBatcher[str, str]:
    return MicroBatcher(lambda items: asyncio.to_thread(store.write, items))


async def test_what_comes_meanwhile_makes_up_the_next_batch(store: Store, batches: MicroBatcher[str, str]) -> None:
    assert await batches.put("a") == "A"
    store.open.clear()
    second = batches.put("b")
    await asyncio.sleep(0)  # that one is under way now
    later = [batches.put(item) for item in "cde"]
    store.open.set()
    assert [await second, *await asyncio.gather(*later)] == ["B", "C", "D", "E"]
    assert store.batches == [["a"], ["b"], ["c", "d", "e"]]


def test_of_one_task_only_the_last_state_is_written() -> None:
    written = last_of_each([result("task", "STARTED"), result("other", "STARTED"), result("task", "SUCCESS")])
    assert [(one.key, one.state) for one in written] == [("task", "SUCCESS"), ("other", "STARTED")]


@pytest.mark.parametrize("ended", ["SUCCESS", "FAILURE"])
def test_a_retry_that_ended_sooner_than_its_predecessor_counts(ended: str) -> None:
    assert last_of_each([result("task", ended), result("task", "RETRY")]) == [result("task", ended)]


async def test_who_waits_hears_that_it_failed(store: Store, batches: MicroBatcher[str, str]) -> None:
    store.error = ConnectionError("no store")
    with pytest.raises(ConnectionError, match="no store"):
        await batches.put("a")
    store.error = None
    assert await batches.put("b") == "B"


async def test_one_that_gave_up_waiting_disturbs_nobody(batches: MicroBatcher[str, str]) -> None:
    gone, staying = batches.put("a"), batches.put("b")
    gone.cancel()
    assert await staying == "B"


class TestInRedis:
    @pytest.mark.parametrize(
        ("known", "late"),
        [
            ("SUCCESS", "FAILURE"),
            ("SUCCESS", "STARTED"),
            ("SUCCESS", "RETRY"),
            ("FAILURE", "RETRY"),
            ("REVOKED", "RETRY"),
        ],
    )
    def test_what_comes_late_replaces_nothing(self, key: str, known: str, late: str) -> None:
        assert stored(key, known, late) == known

    @pytest.mark.parametrize(("known", "new"), [("FAILURE", "STARTED"), ("RETRY", "FAILURE"), ("STARTED", "RETRY")])
    def test_what_is_new_replaces_what_was(self, key: str, known: str, new: str) -> None:
        assert stored(key, known, new) == new


def stored(key: str, *in_turn: str) -> str:
    """The state that is there after these were stored."""
    for state in in_turn:
        app.backend.store_result(key, ValueError("it") if state in states.EXCEPTION_STATES else None, state)
    return str(app.backend.get_task_meta(key, cache=False)["status"])
