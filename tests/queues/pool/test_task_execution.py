"""What an ended run leaves behind."""

import asyncio
import gc
import weakref
from collections.abc import Iterator

import pytest

from src.queues.pool.greenlet_bridge import await_in_bridge
from src.queues.pool.task_execution import Callbacks, TaskExecution


@pytest.fixture
def _no_collector() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("_no_collector")
async def test_an_ended_run_leaves_nothing_to_the_collector() -> None:
    reported: list[object] = []
    execution = TaskExecution(
        lambda: await_in_bridge(asyncio.sleep(0, "result")),
        "label",
        Callbacks(done=reported.append),
        lambda call, *args: call(*args),
        (60, 30),
        None,
    )
    ended = asyncio.Event()
    execution.start(asyncio.get_running_loop(), lambda _execution: ended.set())
    await ended.wait()
    assert reported == ["result"]
    reference = weakref.ref(execution)
    del execution
    await asyncio.sleep(0)
    assert reference() is None
