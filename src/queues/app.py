"""The Celery application of the worker, beat, and every process that sends tasks. Importing it opens no connection."""

from src.core.config import settings
from src.queues.beat_schedule import BEAT_SCHEDULE
from src.queues.broker import use_transports
from src.queues.broker.urls import parse_broker, redis_url
from src.queues.celery import Celery
from src.queues.results.backend import ResultBackend
from src.queues.results.recorded_task import RecordedTask
from src.queues.worker import set_up_workers

BROKER, RESULT_URL = parse_broker(settings.CELERY_BROKER_URL), redis_url(str(settings.CELERY_REDIS_URL))
TIME_LIMIT_SECONDS = 600

# After the visibility timeout an unacknowledged message goes to another worker. A prefetched message waits for the task
# before it, then for its own.
REDIS_OPTIONS = {
    "visibility_timeout": 3 * TIME_LIMIT_SECONDS,
    "unacked_restore_interval": 1,
    "unacked_restore_throttle": 1,
    # How long a worker that is killed while it returns messages keeps the others from it; it returns ten at a time.
    "unacked_mutex_expire": 10,
    "socket_connect_timeout": 2,
    "socket_timeout": 5,
    "socket_keepalive": True,
}
BACKEND = f"{ResultBackend.__module__}:{ResultBackend.__name__}"

use_transports(bulk=settings.celery.bulk_transport)
app = Celery("celery_app", broker=BROKER.url, backend=f"{BACKEND}+{RESULT_URL}", task_cls=RecordedTask)
app.conf.update(
    {
        "timezone": settings.CELERY_TIMEZONE,
        "enable_utc": True,
        "database_url": settings.sql.url_without_pooler.render_as_string(hide_password=False),
        "run_history_url": settings.REDIS_DATABASE_URL,
        # Only JSON: with pickle, anyone who can write to the broker could run code here.
        "accept_content": ["json"],
        # For `celery inspect conf`; what has effect is `use_transports`.
        "bulk_transport": settings.celery.bulk_transport,
        "task_serializer": "json",
        "result_serializer": "json",
        # At-least-once delivery: a message is acknowledged after its task, so a task may run twice, but is never lost.
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        # How many tasks run at once is not set here: `-c` of `celery worker` says it, for each worker. Those with the
        # asyncio pool are started with `--prefetch-multiplier 2`.
        "worker_prefetch_multiplier": 1,
        "task_time_limit": TIME_LIMIT_SECONDS,
        "task_soft_time_limit": TIME_LIMIT_SECONDS - 30,
        # Both, because Celery would prefer the environment's CELERY_BROKER_URL as it stands to `broker_url`.
        "broker_read_url": BROKER.url,
        "broker_write_url": BROKER.url,
        "broker_use_ssl": BROKER.ssl,
        "broker_transport_options": (REDIS_OPTIONS if BROKER.is_redis else {}) | BROKER.options,
        "broker_connection_retry_on_startup": True,
        # A worker waits for its broker, however long it takes, also if that refuses writes (no memory, no replica).
        "broker_connection_max_retries": None,
        "broker_channel_error_retry": True,
        "broker_connection_timeout": 2,
        "task_publish_retry_policy": {"max_retries": 2, "interval_start": 0, "interval_step": 0.2, "interval_max": 0.2},
        "redis_socket_connect_timeout": 2,
        "redis_socket_timeout": 5,
        "redis_socket_keepalive": RESULT_URL.startswith("redis"),  # a Unix socket has none
        # Retry for half a minute to store a result: without Redis a worker has nothing else to do.
        "result_backend_transport_options": {"retry_policy": {"max_retries": 30, "interval_max": 1}},
        # Results are for callers that wait for them; the run history keeps outcomes for longer.
        "result_expires": 3600,
        "worker_hijack_root_logger": False,
        "worker_redirect_stdouts": False,
        "beat_schedule": BEAT_SCHEDULE,
        "schedule_guard": "src.services.schedule_author:find_refusals",
    }
)
set_up_workers(app)
# Tasks of features that are off are not imported: their messages, if there are any, become dead letters.
OPTIONAL = {
    "account_deletion": settings.auth.deletion_days is not None,
    "account_export": settings.auth.export_days is not None,
    "emails": settings.email.enabled,
}
app.autodiscover_tasks(["src.queues.tasks"], without=[name for name, exists in OPTIONAL.items() if not exists])
