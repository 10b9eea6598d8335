"""Rows of the task benchmark run with the settings that they name."""

import os
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from celery import Celery
from redis import Redis

from scripts.bench.tasks import SYSTEMS
from src.core.config import settings
from src.core.tasks.run_event import STREAM
from src.queues.broker.transport import WAKEUP_KEY
from tests.support.process import Process
from tests.support.waiting import wait_until

pytestmark = pytest.mark.worker

POOL = "src.queues.pool.asyncio_pool:AsyncIOPool"


@pytest.mark.parametrize(
    ("name", "is_bulk", "is_recorded"),
    [("bulk", True, True), ("bulk-untracked", True, False), ("stock-transport", False, True)],
)
def test_the_worker_of_a_row(name: str, is_bulk: bool, is_recorded: bool, tmp_path: Path) -> None:
    system, node = SYSTEMS[name], f"{name}-{uuid4()}@bench"
    app = Celery("bench", broker=settings.REDIS_DATABASE_URL, backend=settings.REDIS_DATABASE_URL, set_as_current=False)
    environment = {**os.environ, **system.environment, "CELERY_REDIS_URL": settings.REDIS_DATABASE_URL}
    command = [sys.executable, *system.worker, "-n", node, "-Q", node]
    with Process(command, tmp_path / "log", environment) as worker:
        found: dict[str, Any] = {}
        worker.wait_until(lambda: found.update(app.control.inspect([node], timeout=5).stats() or {}) or found)
        assert found[node]["pool"]["implementation"] == POOL
        with Redis.from_url(settings.REDIS_DATABASE_URL, decode_responses=True) as redis:
            # Which transport runs, whatever the settings say: only the bulk transport reads wake-up keys.
            redis.lpush(WAKEUP_KEY % node, 1)
            result = app.send_task("bench.noop", queue=node)
            result.get(timeout=20)
            if is_bulk:
                wait_until(lambda: not redis.exists(WAKEUP_KEY % node))
            else:
                assert redis.delete(WAKEUP_KEY % node)
            assert any(result.id in fields["event"] for _, fields in redis.xrange(STREAM)) == is_recorded
        assert worker.stop() == 0


def test_other_rows_need_no_settings() -> None:
    assert {name for name, system in SYSTEMS.items() if not system.environment} == {
        "prefork",
        "threads",
        "taskiq",
        "arq",
    }
