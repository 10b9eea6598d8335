import pytest
from celery.app.task import Context

from src.core.tasks.headers import free_headers, is_reserved
from src.queues.app import app
from src.queues.results.outage_retry import OUTAGE
from src.queues.results.start_limits import TURN

pytestmark = pytest.mark.unit


def test_headers_that_celery_writes_or_reads_are_reserved() -> None:
    written = app.amqp.as_task_v2("id", "task").headers
    assert {name for name in {*written, *vars(Context)} if not is_reserved(name)} == set()


def test_headers_of_this_project_are_reserved() -> None:
    assert all(is_reserved(name) for name in (OUTAGE, TURN, "dead_letter_of"))


def test_other_headers_are_kept() -> None:
    assert free_headers({"tenant": "x", "task": "y", "_z": 1}) == {"tenant": "x"}
