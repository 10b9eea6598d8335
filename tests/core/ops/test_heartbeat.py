"""A process goes on reporting itself after a report that could not be made."""

from itertools import count

import pytest
from redis import Redis
from structlog.testing import capture_logs

from src.core.config import settings
from src.core.ops.heartbeat import Heartbeat
from src.core.ops.report import PROCESSES, ProcessReport
from tests.support.waiting import wait_until

NAME = "worker@heartbeat"


@pytest.fixture
def redis() -> Redis:
    return Redis.from_url(settings.REDIS_DATABASE_URL)


def test_a_report_that_fails_is_logged_and_the_next_one_follows(redis: Redis) -> None:
    numbers = count()

    def describe() -> ProcessReport:
        if next(numbers) == 0:
            raise RuntimeError("not now")
        return ProcessReport(kind="worker", name=NAME)

    with capture_logs() as logs:
        heartbeat = Heartbeat(settings.REDIS_DATABASE_URL, 0.01, describe)
        heartbeat.start()
        wait_until(lambda: redis.hexists(PROCESSES, NAME))
        heartbeat.stop()
    assert [entry["event"] for entry in logs] == ["report_failed"]
    assert not redis.hexists(PROCESSES, NAME)
