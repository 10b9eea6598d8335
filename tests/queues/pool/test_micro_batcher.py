"""Items that arrive during a batch form the next one."""

import asyncio
import threading

import pytest

from src.queues.pool.micro_batcher import MicroBatcher

pytestmark = pytest.mark.unit


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


async def test_as_many_batches_as_allowed_are_in_flight(store: Store) -> None:
    batcher = MicroBatcher[str, str](lambda items: asyncio.to_thread(store.write, items), in_flight=2)
    store.open.clear()
    results = []
    for items in ("a", "b", "cd", "e"):
        results += [batcher.put(item) for item in items]
        await asyncio.sleep(0)  # a batch that may start takes them
    store.open.set()
    assert await asyncio.gather(*results) == ["A", "B", "C", "D", "E"]
    assert sorted(store.batches) == [["a"], ["b"], ["c", "d", "e"]]
    assert await batcher.put("f") == "F"
