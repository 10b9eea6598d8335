"""Metrics that no process has alone: queues, outbox, schedules, unfinished runs, and which processes are alive."""

import asyncio
from collections.abc import Mapping, Sequence

import structlog
from prometheus_client import CollectorRegistry, Gauge

from src.core.resources import Resources
from src.core.stores.errors import as_unavailable
from src.core.unit_of_work import ReadUnitOfWork
from src.schemas.ops import OpsHistory, ProcessState
from src.services.ops import OpsService

log = structlog.get_logger(__name__)

TIMEOUT_SECONDS = 4
MAXIMUM_QUEUES = 50
"""Schedules may name any queue: the rest are added up as `other`."""


async def read_shared_metrics(resources: Resources) -> CollectorRegistry:
    """What the overview shows at this moment; no values while PostgreSQL or Redis is unavailable."""
    metrics = SharedMetrics()
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS), resources.read_sessions() as session:
            uow = ReadUnitOfWork(session, resources.tasks, resources.events)
            metrics.set(await OpsService(uow, resources).overview())
    except Exception as error:
        # An outage is told by those who need the store.
        if as_unavailable(error) is None:
            log.exception("metrics_not_read")
    return metrics.registry


class SharedMetrics:
    """Gauges with a registry of their own, made for each scrape: what is gone must not stay."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.waiting = self._gauge("task_queue_waiting", "Messages that no worker has fetched.", "queue")
        self.reserved = self._gauge("task_queue_reserved", "Messages that workers have fetched.", "queue")
        self.messages = self._gauge("task_messages", "Messages outside the queues.", "state")
        self.runs = self._gauge("task_runs_unfinished", "Runs that have not ended.", "state")
        self.outbox = self._gauge("outbox_waiting", "Messages in the outbox, at most 10001.", "topic")
        self.outbox_age = self._gauge("outbox_oldest_seconds", "Age of the oldest message.", "topic")
        self.schedules = self._gauge("schedules", "Schedules.", "state")
        self.processes = self._gauge("processes_alive", "Processes with a recent sign of life.", "kind")

    def set(self, overview: OpsHistory) -> None:
        """Set all values."""
        queues = {queue.name: (queue.waiting, queue.reserved) for queue in overview.queues}
        _set(self.waiting, _bounded({name: waiting for name, (waiting, _) in queues.items()}))
        _set(self.reserved, _bounded({name: reserved for name, (_, reserved) in queues.items()}))
        _set(self.messages, overview.messages.model_dump())
        _set(self.runs, overview.runs.model_dump(include={"pending", "started", "retry"}))
        _set(self.outbox, {"task": 0, "audit": 0} | {topic.topic: topic.waiting for topic in overview.outbox})
        ages = {topic.topic: (overview.at - topic.oldest_at).total_seconds() for topic in overview.outbox}
        _set(self.outbox_age, {"task": 0, "audit": 0} | ages)
        _set(self.schedules, overview.schedules.model_dump())
        kinds: dict[str, Sequence[ProcessState]] = {
            "api": overview.apis,
            "worker": overview.workers,
            "beat": overview.beats,
        }
        _set(self.processes, {kind: sum(each.alive for each in processes) for kind, processes in kinds.items()})

    def _gauge(self, name: str, text: str, label: str) -> Gauge:
        return Gauge(name, text, [label], registry=self.registry)


def _bounded(values: Mapping[str, int]) -> dict[str, int]:
    names = sorted(values, key=lambda name: (-values[name], name))
    kept = {name: values[name] for name in names[:MAXIMUM_QUEUES]}
    rest = sum(values[name] for name in names[MAXIMUM_QUEUES:])
    return kept | {"other": kept.get("other", 0) + rest} if rest else kept


def _set(gauge: Gauge, values: Mapping[str, float]) -> None:
    for label, value in values.items():
        gauge.labels(label).set(value)
