"""A pytest plugin that runs Celery's integration suite with our application; see `scripts.check.celery_suite`.

Reads SUITE_FORM: `celery` leaves everything as it is, `asyncio-bulk` and the like name a pool and a transport.
"""

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from celery.app.backends import BACKEND_ALIASES
from celery.contrib.testing import app as testing

from src.queues.broker import use_transports
from src.queues.celery import Celery
from src.queues.results.recorded_task import RecordedTask

# A test that hangs must not keep the others waiting. The longest waits 140 s for messages that must not come.
SECONDS_PER_TEST = 240
SECONDS_PER_SUBTEST = 10
FORM = os.environ["SUITE_FORM"]
REDIS = os.environ["SUITE_REDIS"]
POOL, _, TRANSPORT = FORM.partition("-")


class App(Celery):
    """The application class of the product, with the task class of its runs."""

    task_cls = RecordedTask


def configuration() -> dict[str, Any]:
    """The suite's configuration, without Cassandra."""
    urls = {"broker_url": REDIS, "result_backend": REDIS, "run_history_url": REDIS}
    return {**urls, "result_extended": True, "task_create_missing_queues": False}


if FORM != "celery":
    use_transports(bulk=TRANSPORT == "bulk")
    BACKEND_ALIASES["redis"] = "src.queues.results.backend:ResultBackend"
    testing.Celery = App  # type: ignore[assignment,attr-defined]  # of which the fixtures make applications


def pytest_configure(config: pytest.Config) -> None:
    """Declare the suite's marks, whose plugins are not installed."""
    for name in ("flaky", "timeout", "celery"):
        config.addinivalue_line("markers", f"{name}: a mark of Celery's suite")


@pytest.hookimpl(tryfirst=True)
def pytest_plugin_registered(plugin: Any) -> None:
    """Replace fixtures of the suite's conftest before pytest reads it."""
    if getattr(plugin, "__name__", "") == "t.integration.conftest":
        pool = "src.queues.pool:AsyncIOPool" if POOL == "asyncio" else "prefork"
        fixture = pytest.fixture(scope="session")
        plugin.celery_worker_pool = fixture(lambda: pool)
        plugin.celery_config = fixture(configuration)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol() -> Iterator[None]:
    """End a test that hangs, and what is left of its subtests."""

    def stop(*_: object) -> None:
        pytest.fail(f"{SECONDS_PER_TEST} s")  # tests catch `TimeoutError`

    signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, SECONDS_PER_TEST, SECONDS_PER_SUBTEST)
    try:
        return (yield)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
