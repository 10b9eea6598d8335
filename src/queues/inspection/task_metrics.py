"""Metrics of tasks, workers and beat, and the port that serves them."""

from collections.abc import Callable, Iterator
from datetime import datetime
from functools import lru_cache
from typing import Any

from celery import signals
from celery.worker import state
from prometheus_client import REGISTRY, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from src.core.ops import process_metrics  # noqa: F401 - registers the metrics of any process
from src.core.ops.metrics_server import serve_metrics
from src.queues.inspection.heartbeat import reserved_by_queue

OTHER = "other"
"""The label of tasks that this application does not have."""

TASKS = Counter(
    "tasks", "Runs by state: sent by this process, or started, succeeded, ... in this worker.", ["task", "state"]
)
WAIT = Histogram(
    "task_wait_seconds",
    "From the time when a run was queued, or was due, to its start.",
    ["task"],
    buckets=(0.01, 0.1, 0.5, 1, 5, 30, 120, 600),
)
RUN = Histogram(
    "task_run_seconds",
    "From the start of a run to its outcome.",
    ["task"],
    buckets=(0.01, 0.1, 0.5, 1, 5, 30, 120, 600),
)
BEAT_TICK = Gauge("beat_last_tick_timestamp_seconds", "When beat last looked for due schedules, in Unix time.")


# Looking a series up by its labels takes longer than counting.
@lru_cache(maxsize=10_000)
def tasks(task: str, state: str) -> Counter:
    """The counter of a task's runs in a state."""
    series: Counter = TASKS.labels(task, state)
    return series


@lru_cache(maxsize=1000)
def task_histogram(metric: Histogram, task: str) -> Histogram:
    """The durations of a task."""
    series: Histogram = metric.labels(task)
    return series


class WorkerCollector(Collector):
    """Reads what a worker has fetched and runs when it is scraped."""

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """The metrics without their values."""
        yield GaugeMetricFamily("worker_reserved", "Messages that this worker has fetched.", labels=["queue"])
        yield GaugeMetricFamily("worker_running", "Runs that this worker has started.")

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The metrics."""
        reserved, running = self.describe()
        for queue, count in reserved_by_queue().items():
            reserved.add_metric([queue], count)
        running.add_metric([], len(state.active_requests))
        yield from (reserved, running)


def count_tasks(app: Any) -> None:
    """Count the tasks that this process sends, and what Celery signals in the main process of a worker."""

    def count_sent(sender: str, **_signal: object) -> None:
        tasks(sender if sender in app.tasks else OTHER, "sent").inc()

    def count_revoked(sender: Any, **_signal: object) -> None:
        tasks(sender.name, "revoked").inc()

    def count_unknown(**_signal: object) -> None:
        tasks(OTHER, "failed").inc()

    signals.after_task_publish.connect(count_sent, weak=False)
    signals.task_revoked.connect(count_revoked, weak=False)
    signals.task_unknown.connect(count_unknown, weak=False)


def serve_metrics_of(app: Any, port: int, token: str | None, refresh: Callable[[], None]) -> None:
    """Have the workers and beats of this application serve their metrics on a port; workers refresh them first."""

    def begin_worker(sender: Any, **_signal: object) -> None:
        if sender.app == app:
            REGISTRY.register(WorkerCollector())
            serve_metrics(port, token, refresh)

    def begin_beat(sender: Any, **_signal: object) -> None:
        if sender.app == app:
            BEAT_TICK.set_function(lambda: _seconds(getattr(sender.scheduler, "ticked_at", None)))
            serve_metrics(port, token)

    signals.worker_ready.connect(begin_worker, weak=False)
    signals.beat_init.connect(begin_beat, weak=False)


def _seconds(time: datetime | None) -> float:
    return time.timestamp() if time else 0.0
