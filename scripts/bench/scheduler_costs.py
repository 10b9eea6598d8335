"""How each of the schedulers of `scripts/bench/scheduler.py` is measured; needs nothing but Celery and psutil."""

import gc
import json
import statistics
import sys
import time
from collections.abc import Callable

import kombu.transport.redis  # noqa: F401 - imported by whichever beat, so it is no part of any scheduler's load
import psutil

DUE = 50
TICKS = 5


def milliseconds(call: Callable[[], object], times: int = TICKS) -> float:
    """The median of some calls."""
    found = []
    for _ in range(times):
        before = time.perf_counter()
        call()
        found.append((time.perf_counter() - before) * 1000)
    return statistics.median(found)


def report(
    load: Callable[[], object],
    tick: Callable[[], object],
    change_one: Callable[[], object],
    make_due: Callable[[int], object],
) -> None:
    """Print the figures as one line of JSON.

    Args:
        load: Makes the scheduler, and lets it tick once.
        tick: Lets it tick.
        change_one: Changes a row, so that the next tick has to notice.
        make_due: Makes some rows due at once.
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
