"""The Celery application of worker, beat and everyone who sends tasks. Importing it opens no connection."""

import logging
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from copy import copy

import structlog
from celery import signals

from src.core.config import settings
from src.core.logging import configure_logging
from src.core.realtime.event_bus import ReplaySettings
from src.core.realtime.event_registry import EventRegistry
from src.core.resources import Resources, open_resources
from src.queues.celery import Celery
from src.queues.emitter import RedisEmitter
from src.queues.log_filter import HousekeepingLogFilter
from src.queues.pool.event_loop import process_loop
from src.queues.publisher import create_outbox
from src.queues.results.recorded_task import RecordedTask
from src.queues.results.recording_backend import RecordingBackend
from src.queues.schedules import BEAT_SCHEDULE
from src.schemas.events import SERVICE_EVENTS

log = structlog.get_logger(__name__)

REDIS_URL = str(settings.CELERY_REDIS_URL)
MEMORY = ReplaySettings(settings.sockets.recovery_seconds, settings.sockets.recovery_messages)
TIME_LIMIT_SECONDS = 600
# How long a task waits for its turn at a connection, where a client of the API would long have had its 503.
CONNECTION_SECONDS = 60

BACKEND = f"{RecordingBackend.__module__}:{RecordingBackend.__name__}"

app = Celery("celery_app", broker=REDIS_URL, backend=f"{BACKEND}+{REDIS_URL}", task_cls=RecordedTask)
app.conf.update(
    {
        "timezone": settings.CELERY_TIMEZONE,
        "enable_utc": True,
        "database_url": settings.SQL_DATABASE_URL,
        "ledger_url": settings.REDIS_DATABASE_URL,
        # JSON alone: whoever writes to the broker must not run code here.
        "accept_content": ["json"],
        "broker_transport": "src.queues.broker.transport:BulkTransport" if settings.celery.bulk_transport else None,
        "task_serializer": "json",
        "result_serializer": "json",
        # Nothing is lost with a worker: a task is acknowledged when it is done, and so may run twice.
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        "worker_prefetch_multiplier": 1,
        "task_time_limit": TIME_LIMIT_SECONDS,
        "task_soft_time_limit": TIME_LIMIT_SECONDS - 30,
        # A message not acknowledged for this long goes to another worker: longer than a task and the one before it.
        "broker_transport_options": {
            "visibility_timeout": 3 * TIME_LIMIT_SECONDS,
            "unacked_restore_interval": 1,
            "unacked_restore_throttle": 1,
            "socket_connect_timeout": 2,
            "socket_timeout": 5,
            "socket_keepalive": True,
        },
        "broker_connection_retry_on_startup": True,
        "broker_connection_timeout": 2,
        "task_publish_retry_policy": {"max_retries": 2, "interval_start": 0, "interval_step": 0.2, "interval_max": 0.2},
        "redis_socket_connect_timeout": 2,
        "redis_socket_timeout": 5,
        "redis_socket_keepalive": True,
        # Half a minute for a result: without Redis a worker has nothing else to do.
        "result_backend_transport_options": {"retry_policy": {"max_retries": 30, "interval_max": 1}},
        "result_expires": 24 * 3600,
        "worker_hijack_root_logger": False,
        "worker_redirect_stdouts": False,
        "beat_schedule": BEAT_SCHEDULE,
    }
)
app.autodiscover_tasks(["src.queues.tasks"])


@asynccontextmanager
async def worker_lifespan() -> AsyncIterator[Resources]:
    """The stores of one worker process: the API's own, with an emitter that needs no sockets."""
    declared = EventRegistry(SERVICE_EVENTS) if settings.ENVIRONMENT.is_debug else None
    patient = copy(settings)
    patient.sql = settings.sql.model_copy(update={"pool_timeout_seconds": CONNECTION_SECONDS})
    async with (
        aclosing(RedisEmitter(settings.REDIS_DATABASE_URL, MEMORY, declared)) as events,
        open_resources(patient, create_outbox(app), events) as resources,
    ):
        yield resources
    log.info("stores_closed")


@signals.worker_init.connect
@signals.worker_process_init.connect
def _open_stores_with_the_loop(**_signal: object) -> None:
    """In workers alone: other processes that import this module have opened theirs."""
    process_loop.lifespan = worker_lifespan


@signals.setup_logging.connect
def _configure_logging(loglevel: int, **_signal: object) -> None:
    configure_logging(settings)
    logging.getLogger().setLevel(loglevel)
    for name in ("celery.worker.strategy", "celery.app.trace"):
        logging.getLogger(name).addFilter(HousekeepingLogFilter({"outbox.relay", "tasks.record"}))
