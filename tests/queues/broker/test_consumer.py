from collections import deque
from types import SimpleNamespace
from typing import Any

import pytest
from billiard.pool import RUN, ApplyResult
from celery.concurrency.asynpool import AsynPool

from src.queues.broker.consumer import Consumer

pytestmark = pytest.mark.unit


class Processes(AsynPool):
    """A prefork pool without its processes."""

    def __init__(self) -> None:
        self._state = RUN
        self._cache: dict[int, ApplyResult] = {}
        self._busy_workers: set[int] = set()
        self._active_writers: set[Any] = set()
        self._active_writes: set[int] = set()
        self.outbound_buffer = deque[ApplyResult]()
        self.synack = False

    def maintain_pool(self) -> None: ...


def test_a_run_that_a_process_has_received_is_not_forgotten_when_the_worker_ends() -> None:
    processes = Processes()
    received: Any = ApplyResult(processes._cache, None)
    ApplyResult(processes._cache, None)
    received._write_to = SimpleNamespace(_is_alive=lambda: True, inqW_fd=0)
    consumer: Any = Consumer.__new__(Consumer)
    consumer.controller, consumer.task_buckets, consumer.timer = None, {}, None
    consumer.pool = SimpleNamespace(_pool=processes, flush=processes.flush)
    consumer.on_close()
    assert list(processes._cache.values()) == [received]
