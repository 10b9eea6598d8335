"""Results are stored off the loop, in batches."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from celery import states

from src.queues.app import app
from src.queues.results import Result, ResultWriter


class Store:
    """Takes batches, one after the other, when it is let."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.open = threading.Event()
        self.open.set()
        self.error: Exception | None = None

    def write(self, results: list[Result]) -> None:
        self.open.wait(10)
        if self.error:
            raise self.error
        self.batches.append([result.value for result in results])


def result(key: str, state: str) -> Result:
    return Result(key, state, 0, state)


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def writer(store: Store) -> Iterator[ResultWriter]:
    with ThreadPoolExecutor(1) as executor:
        yield ResultWriter(store.write, executor)


async def test_what_comes_meanwhile_makes_up_the_next_batch(store: Store, writer: ResultWriter) -> None:
    writer.put(result("a", "1"))
    first = writer.written()
    await first
    store.open.clear()
    writer.put(result("b", "2"))
    await asyncio.sleep(0)  # that one is under way now
    for number in range(3, 6):
        writer.put(result(str(number), str(number)))
    store.open.set()
    await writer.written()
    assert store.batches == [["1"], ["2"], ["3", "4", "5"]]


async def test_of_one_task_only_the_last_state_is_written(store: Store, writer: ResultWriter) -> None:
    for state in ("STARTED", "SUCCESS"):
        writer.put(result("task", state))
    await writer.written()
    assert store.batches == [["SUCCESS"]]


@pytest.mark.parametrize("ended", ["SUCCESS", "FAILURE"])
async def test_a_retry_that_ended_sooner_than_its_predecessor_counts(
    store: Store, writer: ResultWriter, ended: str
) -> None:
    writer.put(result("task", ended))
    writer.put(result("task", "RETRY"))
    await writer.written()
    assert store.batches == [[ended]]


async def test_who_waits_hears_that_it_failed(store: Store, writer: ResultWriter) -> None:
    store.error = ConnectionError("no store")
    writer.put(result("task", "SUCCESS"))
    with pytest.raises(ConnectionError, match="no store"):
        await writer.written()


async def test_one_that_gave_up_waiting_disturbs_nobody(store: Store, writer: ResultWriter) -> None:
    writer.put(result("task", "SUCCESS"))
    gone, staying = writer.written(), writer.written()
    gone.cancel()
    await staying


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
