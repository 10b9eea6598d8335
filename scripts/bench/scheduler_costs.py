"""Measures one scheduler for `scripts/bench/scheduler.py`; imports only Celery and psutil."""

import gc
import json
import statistics
import sys
import time
from collections.abc import Callable

import kombu.transport.redis  # noqa: F401 - every beat imports it, so it must not count as load
import psutil

DUE = 50
TICKS = 5


def milliseconds(call: Callable[[], object], times: int = TICKS) -> float:
    """The median duration of a call."""
    durations = []
    for _ in range(times):
        before = time.perf_counter()
        call()
        durations.append((time.perf_counter() - before) * 1000)
    return statistics.median(durations)


def report(
    load: Callable[[], object],
    tick: Callable[[], object],
    change_one: Callable[[], object],
    make_due: Callable[[int], object],
) -> None:
    """Print the figures as one line of JSON.

    Args:
        load: Creates the scheduler and runs one tick.
        tick: Runs one tick.
        change_one: Changes a row, which the next tick must notice.
        make_due: Makes this many rows due.
    """
    gc.collect()
    process = psutil.Process()
    memory, before = process.memory_info().rss, time.perf_counter()
    load()
    figures = {"load_seconds": time.perf_counter() - before}
    tick()
    figures["memory_mb"] = (process.memory_info().rss - memory) / 1e6
    figures["idle_ms"] = milliseconds(tick)
    change_one()
    figures["refresh_ms"] = milliseconds(tick, 1)
    make_due(DUE)
    figures["due_ms"] = max(0.0, milliseconds(tick, 1) - figures["idle_ms"]) / DUE
    print(json.dumps(figures))
    sys.stdout.flush()
