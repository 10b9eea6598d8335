"""Metrics of the processes of the prefork pool, which the worker's main process serves with its own.

Each child writes lines of JSON into one pipe, once a second if something has changed. The main process reads them when
it is scraped, and adds what was counted to its own metrics, so that counters outlive the children.
"""

import asyncio
import json
import os
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import structlog
from prometheus_client import Counter, Gauge

from src.core.health import SECONDS as CHECK_DURATION
from src.core.health import check_stores
from src.core.ops import process_metrics
from src.core.ops.report import PoolUse
from src.core.outages import AVAILABLE, FAILURES
from src.core.resources import Resources
from src.core.stores.cache import READS
from src.queues.inspection.task_metrics import TASKS

log = structlog.get_logger(__name__)

SEND_SECONDS = 1.0
CHECK_SECONDS = 15.0
"""Between two checks of the stores, in each process that runs tasks."""
COUNTERS = {"tasks": TASKS, "store_failures": FAILURES, "cache_reads": READS}


class ChildMetrics:
    """The pipe from the children to the main process of a worker; until `open` it does nothing."""

    def __init__(self) -> None:
        self._pipe: tuple[int, int] | None = None
        self._main = 0
        self._lock = threading.Lock()
        self._rest = b""
        self._states: dict[int, dict[str, Any]] = {}

    def open(self) -> None:
        """Create the pipe, in the main process, before it forks."""
        self._pipe, self._main = os.pipe(), os.getpid()
        for end in self._pipe:
            os.set_blocking(end, False)

    @asynccontextmanager
    async def measuring(self, resources: Resources) -> AsyncIterator[None]:
        """During the block, check the stores regularly and, in a child, send its metrics to the main process."""
        if self._pipe is None:
            yield
            return
        sender = None if os.getpid() == self._main else _Sender(self._pipe[1], resources)
        measuring = asyncio.create_task(_measure(resources, sender))
        try:
            yield
        finally:
            measuring.cancel()
            with suppress(asyncio.CancelledError):
                await measuring
            if sender is not None:
                sender.send({})

    def read(self) -> None:
        """Add what children have sent to the metrics of this process, the main one."""
        if self._pipe is None:
            return
        with self._lock:
            with suppress(BlockingIOError):  # no more has been sent
                while True:
                    self._rest += os.read(self._pipe[0], 65_536)
            *lines, self._rest = self._rest.split(b"\n")
            for line in lines:
                self._add(json.loads(line))
            if self._states:
                self._states = {pid: state for pid, state in self._states.items() if _is_running(pid)}
                self._show()

    def _add(self, message: dict[str, Any]) -> None:
        if "counter" in message:
            COUNTERS[message["counter"]].labels(**message["labels"]).inc(message["added"])
        elif "checked" in message:
            for store, seconds in message["checked"].items():
                CHECK_DURATION.labels(store).observe(seconds)
        else:
            self._states[message["pid"]] = message

    def _show(self) -> None:
        """Show the states of all children: a store is available if it is to each of them."""
        available: dict[str, float] = {}
        for state in self._states.values():
            for store, value in state["available"].items():
                available[store] = min(value, available.get(store, 1))
        AVAILABLE.clear()
        for store, value in available.items():
            AVAILABLE.labels(store).set(value)
        process_metrics.child_pools = [PoolUse(**pool) for state in self._states.values() for pool in state["pools"]]


child_metrics = ChildMetrics()


class _Sender:
    """Sends what has changed in this child since it was sent last."""

    def __init__(self, pipe: int, resources: Resources) -> None:
        self._pipe = pipe
        self._resources = resources
        self._sent = _totals()  # inherited from the main process
        self._state: dict[str, Any] = {}

    def send(self, checked: dict[str, float]) -> None:
        """Send it, and durations of checks by store; what the pipe has no room for is sent the next time."""
        state = {
            "pid": os.getpid(),
            "available": {sample["store"]: value for sample, value in _samples(AVAILABLE)},
            "pools": [pool.model_dump() for pool in process_metrics.pools_of(self._resources)],
        }
        with suppress(BlockingIOError):
            for (name, labels), total in _totals().items():
                if added := total - self._sent.get((name, labels), 0):
                    self._write({"counter": name, "labels": dict(labels), "added": added})
                    self._sent[name, labels] = total
            if state != self._state:
                self._write(state)
                self._state = state
            if checked:
                self._write({"checked": checked})

    def _write(self, message: dict[str, Any]) -> None:
        os.write(self._pipe, json.dumps(message).encode() + b"\n")  # whole or not at all, up to 4,096 bytes


async def _measure(resources: Resources, sender: _Sender | None) -> None:
    """Measure again and again, until it is cancelled; an unexpected error is logged, and delays the next time."""
    next_check = 0.0
    while True:
        seconds = SEND_SECONDS if sender else CHECK_SECONDS
        checked: dict[str, float] = {}
        try:
            if time.monotonic() >= next_check:
                health = await check_stores(resources)
                checked = {name: store.milliseconds / 1000 for name, store in health.items()}
                next_check = time.monotonic() + CHECK_SECONDS
            if sender is not None:
                sender.send(checked)
        except Exception:
            log.exception("report_failed")
            seconds = CHECK_SECONDS
        await asyncio.sleep(seconds)


def _totals() -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """The values of the counters by name and labels."""
    return {
        (name, tuple(labels.items())): value
        for name, counter in COUNTERS.items()
        for labels, value in _samples(counter)
    }


def _samples(metric: Counter | Gauge) -> list[tuple[dict[str, str], float]]:
    return [(sample.labels, sample.value) for family in metric.collect() for sample in family.samples]


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
