"""A worker within a process that has other applications."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest
from celery import current_app
from celery.app import trace
from celery.contrib.testing.worker import start_worker
from kombu.serialization import registry  # type: ignore[attr-defined]  # missing from the stubs

from src.queues.app import app as default
from src.queues.celery import Celery
from src.queues.pool.event_loop import process_loop
from src.queues.pool.worker import clear_frames
from src.utils.single_flight import SingleFlight
from tests.support.waiting import PATIENCE_SECONDS, eventually

pytestmark = pytest.mark.worker


@pytest.fixture(scope="module")
def embedded() -> Iterator[Any]:
    """Its pool and its tasks, and an event that a run waits for."""
    process_loop.stop()  # what another test may have started has stores
    flight, started, both_failed, let_go = SingleFlight(), list[str](), asyncio.Barrier(2), asyncio.Event()
    with (
        pytest.MonkeyPatch.context() as patch,
        Celery("embedded", broker="memory://", backend="cache+memory://", set_as_current=False) as app,
    ):
        patch.setattr(process_loop, "lifespan", nullcontext)

        @app.task
        def synchronous() -> str:
            return str(current_app.main)

        @app.task
        async def coroutine() -> str:
            return str(current_app.main)

        async def fail() -> None:
            await eventually(lambda: len(started) == 2)
            raise ZeroDivisionError

        @app.task
        async def share(ending: str) -> str:
            started.append(ending)
            try:
                await flight.do("work", fail)
            except ZeroDivisionError:
                await both_failed.wait()
                if ending == "fails":
                    raise
                await let_go.wait()
            return "went on"

        with start_worker(app, concurrency=2, pool="src.queues.pool:AsyncIOPool", perform_ping_check=False) as worker:
            pool: Any = worker.pool
            yield SimpleNamespace(pool=pool, tasks=(synchronous, coroutine), share=share, let_go=let_go)
        process_loop.stop()


def test_it_finds_its_tasks_and_no_stores(embedded: Any) -> None:
    """As in Celery's pytest plugin, another application may be the default one."""
    assert embedded.pool.info["processes"] == [os.getpid()]
    default.set_default()
    default.set_current()
    for task in embedded.tasks:
        assert task.apply_async().get(timeout=PATIENCE_SECONDS, disable_sync_subtasks=False) == "embedded"
    assert process_loop.lifespan is nullcontext  # the stores are those of workers of `default`


def test_a_body_is_decoded_once(embedded: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """By Celery's request, and not by the task's tracer again."""
    decode, decoded = registry._decoders["application/json"], list[str]()

    def decode_and_count(body: Any) -> Any:
        decoded.append(str(body))
        return decode(body)

    monkeypatch.setitem(registry._decoders, "application/json", decode_and_count)
    assert embedded.tasks[1].delay().get(timeout=PATIENCE_SECONDS, disable_sync_subtasks=False) == "embedded"
    assert len([body for body in decoded if "callbacks" in body]) == 1


def test_an_error_that_several_runs_get_ends_none_of_those_that_go_on(embedded: Any) -> None:
    """Its traceback leads through all of them, and Celery clears it when one of them has failed."""
    assert trace.traceback_clear is clear_frames
    failing, other = embedded.share.delay("fails"), embedded.share.delay("goes on")
    with pytest.raises(ZeroDivisionError):
        failing.get(timeout=PATIENCE_SECONDS, disable_sync_subtasks=False)
    process_loop.thread().loop.call_soon_threadsafe(embedded.let_go.set)
    assert other.get(timeout=PATIENCE_SECONDS, disable_sync_subtasks=False) == "went on"
