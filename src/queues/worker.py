"""What a worker process adds to the application: its stores, opened with the event loop, and its log."""

import logging
from collections.abc import AsyncIterator, Collection
from contextlib import aclosing, asynccontextmanager
from copy import copy
from functools import partial
from typing import Any

import structlog
from celery import Celery, signals
from celery.exceptions import Reject
from kombu.exceptions import OperationalError

from src.core.config import settings
from src.core.logging import configure_logging
from src.core.outages import is_watching, report_outage, watching_stores
from src.core.realtime.event_bus import ReplaySettings
from src.core.realtime.event_registry import EventRegistry
from src.core.resources import Resources, open_resources
from src.core.stores.errors import as_unavailable, summary
from src.core.tasks.info import HOUSEKEEPING
from src.core.telemetry import start_telemetry
from src.queues.emitter import RedisEmitter
from src.queues.inspection.child_metrics import child_metrics
from src.queues.inspection.heartbeat import report_processes
from src.queues.inspection.task_metrics import count_tasks, serve_metrics_of
from src.queues.pool.event_loop import process_loop
from src.queues.publisher import create_outbox
from src.schemas.events import SERVICE_EVENTS

log = structlog.get_logger(__name__)

# Tasks wait longer for a database connection than requests, which fail with 503.
POOL_TIMEOUT_SECONDS = 60
BROKER_IS_DOWN = "consumer: Cannot connect to", "consumer: Connection to broker lost"


class HousekeepingLogFilter(logging.Filter):
    """Log filter for lines about runs: drops INFO lines of frequent housekeeping tasks.

    In place of each failure of these, and of each run that could not be sent again and returns to its queue, it reports
    an outage.

    Args:
        names: The names of the housekeeping tasks.
    """

    def __init__(self, names: Collection[str]) -> None:
        super().__init__()
        self._names = names

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to keep a line; Celery writes the task's name to the record's `data`."""
        data = getattr(record, "data", None)
        is_housekeeping = isinstance(data, dict) and data.get("name") in self._names
        error = record.exc_info[1] if record.exc_info else None
        is_requeued = False
        if isinstance(error, Reject):
            error, is_requeued = error.args
        if (is_housekeeping or is_requeued) and isinstance(error, Exception):
            unavailable = as_unavailable(error)
            if unavailable or isinstance(error, OperationalError):
                report_outage(unavailable.store if unavailable else "broker", summary(error))
                return False
        return not is_housekeeping or record.levelno > logging.INFO


class BrokerLogFilter(logging.Filter):
    """Log filter that reports an unavailable broker once, as any store, in place of Celery's lines about each attempt.

    A process that watches no stores, such as the main one of the prefork pool, keeps Celery's first line, and the next
    one about a connection.
    """

    def __init__(self) -> None:
        super().__init__()
        self._is_known = False

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to keep a line of the consumer; Celery writes the error as the second argument."""
        text, was_known = record.getMessage(), self._is_known
        if text.startswith("Connected to"):
            self._is_known = False
            if was_known:
                record.levelno, record.levelname = logging.WARNING, "WARNING"
            return logging.getLogger().isEnabledFor(record.levelno) and not (was_known and is_watching())
        if not text.startswith(BROKER_IS_DOWN):
            return True
        self._is_known = True
        if is_watching():
            report_outage("broker", text.removeprefix("consumer: ").partition(".\n")[0])
            return False
        return not was_known


@asynccontextmanager
async def worker_lifespan(app: "Celery[Any]") -> AsyncIterator[Resources]:
    """The stores of one worker process, with an event emitter that needs no Socket.IO server."""
    replay = ReplaySettings(settings.sockets.recovery_seconds, settings.sockets.recovery_messages)
    declared, strict = EventRegistry(SERVICE_EVENTS), settings.ENVIRONMENT.checks_events
    worker_settings = copy(settings)
    worker_settings.sql = settings.sql.model_copy(update={"pool_timeout_seconds": POOL_TIMEOUT_SECONDS})
    async with (
        aclosing(
            RedisEmitter(settings.REDIS_DATABASE_URL, replay, declared, partial(report_outage, "redis"), strict=strict)
        ) as events,
        open_resources(worker_settings, create_outbox(lambda: app), events) as resources,
    ):
        with watching_stores(resources):
            async with child_metrics.measuring(resources):
                yield resources
    log.info("stores_closed")


def set_up_workers(app: "Celery[Any]") -> None:
    """Have workers of this application open their stores and log like the API; other processes are not affected."""

    def open_stores_with_loop(sender: Any, **_signal: object) -> None:
        if sender.app == app:
            process_loop.lifespan = lambda: worker_lifespan(app)
            if settings.celery.metrics_port is not None:
                child_metrics.open()

    signals.worker_init.connect(open_stores_with_loop, weak=False)
    signals.setup_logging.connect(_configure_logging)
    signals.celeryd_init.connect(_start_worker_telemetry)
    signals.beat_init.connect(_start_beat_telemetry)
    report_processes(app, settings.app.ops_report_seconds)
    count_tasks(app)
    if settings.celery.metrics_port is not None:
        token = settings.app.metrics_token
        token_value = token.get_secret_value() if token else None
        serve_metrics_of(app, settings.celery.metrics_port, token_value, child_metrics.read)


def _start_worker_telemetry(**_signal: object) -> None:
    start_telemetry(settings, "worker")


def _start_beat_telemetry(**_signal: object) -> None:
    start_telemetry(settings, "beat")


def _configure_logging(loglevel: int, **_signal: object) -> None:
    configure_logging(settings)
    logging.getLogger().setLevel(loglevel)
    if loglevel > logging.DEBUG:  # one line per run, at its end
        logging.getLogger("celery.worker.strategy").setLevel(logging.WARNING)
    for name in ("celery.worker.strategy", "celery.app.trace"):
        logging.getLogger(name).addFilter(HousekeepingLogFilter(HOUSEKEEPING))
    broker = BrokerLogFilter()
    for name in ("celery.worker.consumer.consumer", "celery.worker.consumer.connection"):
        logging.getLogger(name).addFilter(broker)
    logging.getLogger("celery.worker.consumer.connection").setLevel(logging.INFO)  # the filter decides
