"""How long worker and beat wait between two attempts to connect to the broker."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from kombu import Connection

from src.queues.app import app
from src.queues.broker.consumer import Consumer
from src.queues.scheduler.database_scheduler import AsyncDatabaseScheduler

pytestmark = pytest.mark.unit

ATTEMPTS = 12


def connect_worker(connection: Any) -> None:
    consumer: Any = Consumer.__new__(Consumer)
    consumer.app, consumer.first_connection_attempt, consumer.broker_connection_retry_attempt = app, True, 0
    consumer.ensure_connected(connection)


def connect_beat(connection: Any) -> None:
    scheduler: Any = AsyncDatabaseScheduler.__new__(AsyncDatabaseScheduler)
    scheduler.app, scheduler.connection, scheduler._failure = app, connection, None
    scheduler._ensure_connected()


@pytest.mark.parametrize("connect", [connect_worker, connect_beat])
def test_the_wait_does_not_grow_beyond_five_seconds(
    monkeypatch: pytest.MonkeyPatch, connect: Callable[[Any], None]
) -> None:
    slept: list[float] = []
    attempts: list[float] = []
    monkeypatch.setattr("kombu.utils.functional.sleep", slept.append)
    connection = Connection("redis://127.0.0.1:1/0")

    def fail() -> None:
        attempts.append(sum(slept))
        if len(attempts) == ATTEMPTS:
            raise KeyboardInterrupt
        raise ConnectionRefusedError

    monkeypatch.setattr(connection, "_connection_factory", fail)
    with pytest.raises(KeyboardInterrupt):
        connect(connection)
    assert [later - earlier for earlier, later in pairwise(attempts)][-1] == 5
