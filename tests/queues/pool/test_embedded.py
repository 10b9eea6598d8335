import os
from contextlib import nullcontext
from typing import Any

import pytest
from celery import current_app
from celery.contrib.testing.worker import start_worker

from src.queues.app import app as default
from src.queues.celery import Celery
from src.queues.pool.event_loop import process_loop
from tests.support.waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.worker


def test_a_worker_within_a_process_finds_its_tasks_and_no_stores(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in Celery's pytest plugin, another application may be the default one."""
    process_loop.stop()  # what another test may have started has stores
    monkeypatch.setattr(process_loop, "lifespan", nullcontext)
    with Celery("embedded", broker="memory://", backend="cache+memory://", set_as_current=False) as app:

        @app.task
        def synchronous() -> str:
            return str(current_app.main)

        @app.task
        async def coroutine() -> str:
            return str(current_app.main)

        with start_worker(app, pool="src.queues.pool:AsyncIOPool", perform_ping_check=False) as worker:
            pool: Any = worker.pool
            assert pool.info["processes"] == [os.getpid()]
            default.set_default()
            default.set_current()
            for task in (synchronous, coroutine):
                assert task.apply_async().get(timeout=PATIENCE_SECONDS, disable_sync_subtasks=False) == "embedded"
        assert process_loop.lifespan is nullcontext  # the stores are those of workers of `default`
        process_loop.stop()
