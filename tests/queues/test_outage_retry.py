"""Runs that met an unavailable store are retried until the outage has an age, and are not lost then."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from celery.exceptions import MaxRetriesExceededError
from redis import Redis

from src.queues.app import app
from src.queues.broker.malformed import DEAD_LETTERS
from tests.queues import sample
from tests.queues.conftest import CeleryProcess, running
from tests.support.pools import POOLS
from tests.support.waiting import PATIENCE_SECONDS, wait_until

pytestmark = pytest.mark.worker


@pytest.fixture(scope="module", params=POOLS, ids=lambda pool: pool.name)
def worker(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CeleryProcess]:
    directory: Path = tmp_path_factory.mktemp("worker")
    with running(directory) as run:
        worker = request.param.start(run, f"outages-{request.param.name}")
        worker.wait_for("ready.")
        yield worker


@pytest.fixture
def queue(worker: CeleryProcess) -> str:
    return worker.name.partition("-")[0] + "-" + worker.name.split("-")[1]


@pytest.mark.parametrize("task", [sample.outage, sample.outage_in_thread], ids=lambda task: task.name)
def test_a_run_succeeds_after_the_outage(worker: CeleryProcess, queue: str, key: str, task: Any) -> None:
    """And has all of its own retries then."""
    result = task.apply_async((key, 2), queue=queue)
    assert result.get(timeout=PATIENCE_SECONDS) == 4


def test_an_outage_begins_anew_after_another_attempt(worker: CeleryProcess, queue: str, key: str) -> None:
    result = sample.outage.apply_async((key, 1), queue=queue, retries=1, headers={"outage": [0, 0]})
    with pytest.raises(MaxRetriesExceededError):  # and not `ConnectionRefusedError`
        result.get(timeout=PATIENCE_SECONDS)


def test_after_its_time_it_fails_and_is_a_dead_letter(worker: CeleryProcess, queue: str) -> None:
    result = sample.long_outage.apply_async(queue=queue)
    with pytest.raises(ConnectionRefusedError):
        result.get(timeout=PATIENCE_SECONDS)
    with Redis.from_url(str(app.conf.broker_url), decode_responses=True) as broker:

        def letters() -> int:
            return sum(result.id in letter for letter in broker.lrange(DEAD_LETTERS, 0, -1))

        wait_until(letters)
        assert letters() == 1
    assert worker.output.count("task_gave_up") == 1
