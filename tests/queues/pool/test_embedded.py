import os
from typing import Any

import pytest
from celery import current_app
from celery.contrib.testing.worker import start_worker

from src.queues.app import app as default
from src.queues.celery import Celery
from src.queues.pool.event_loop import process_loop
from tests.support.waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.worker


def test_a_worker_within_a_process_finds_its_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in Celery's pytest plugin, another application may be the default one."""
    monkeypatch.setattr(process_loop, "lifespan", process_loop.lifespan)  # the worker sets it
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
        process_loop.stop()  # closes its stores: the application's are the current ones again
