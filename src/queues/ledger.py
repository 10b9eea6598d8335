"""What becomes of every run, told to the ledger by whoever executes it."""

from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

import structlog
from redis import Redis
from redis.exceptions import RedisError

from src.core.run_event import CAPACITY, STREAM, RunEvent, revocation_key
from src.queues.tracer import off_loop

log = structlog.get_logger(__name__)

REDELIVERIES_SECONDS = 24 * 3600
# What a row keeps of arguments and results.
MAXIMUM_BYTES = 16 * 1024


class Start(NamedTuple):
    """What is known of a run that is about to start: whether it was revoked, and how often it was begun in vain."""

    is_revoked: bool = False
    redeliveries: int = 0


class Ledger:
    """Tells of runs in a Redis stream, with one round trip each; a Redis that is away fails no task.

    Args:
        url: Of the Redis that the ledger is written from.
    """

    def __init__(self, url: str) -> None:
        self._redis = Redis.from_url(url, socket_timeout=1, socket_connect_timeout=1)

    def start(self, event: RunEvent, *, is_redelivered: bool) -> Start:
        """Tell that a run starts, and ask what is known of it."""
        return off_loop(None, self._start, event, is_redelivered=is_redelivered)

    def tell(self, event: RunEvent) -> None:
        """Tell what became of a run."""
        off_loop(None, self._tell, event)

    def give_back(self, event: RunEvent) -> None:
        """Tell that a run goes back to its queue; its worker has survived all that was begun until now."""
        off_loop(None, self._tell, event, _redeliveries(event))

    def _start(self, event: RunEvent, *, is_redelivered: bool) -> Start:
        redeliveries = _redeliveries(event)
        try:
            with self._redis.pipeline(transaction=False) as pipeline:
                pipeline.xadd(STREAM, event.fields(), maxlen=CAPACITY)  # type: ignore[arg-type]  # the stubs are invariant
                pipeline.exists(revocation_key(event.id))
                if is_redelivered:
                    pipeline.incr(redeliveries)
                    pipeline.expire(redeliveries, REDELIVERIES_SECONDS)
                _, revoked, *counts = pipeline.execute()
        except RedisError as error:
            self._warn(event, error)
            return Start()
        return Start(bool(revoked), counts[0] if counts else 0)

    def _tell(self, event: RunEvent, *forgotten: str) -> None:
        try:
            self._redis.xadd(STREAM, event.fields(), maxlen=CAPACITY)  # type: ignore[arg-type]  # the stubs are invariant
            if forgotten:
                self._redis.delete(*forgotten)
        except RedisError as error:
            self._warn(event, error)

    def _warn(self, event: RunEvent, error: RedisError) -> None:
        log.warning("run_not_recorded", task_id=str(event.id), state=event.state, reason=str(error))


def _redeliveries(event: RunEvent) -> str:
    """The Redis key that counts how often a run was begun by a worker that was lost."""
    return f"tasks:redeliveries:{event.id}"


@lru_cache
def ledger_at(url: str) -> Ledger:
    """The ledger of this process; clients of Redis know when they were forked."""
    return Ledger(url)


def run_id(task_id: str) -> UUID | None:
    """The run's key in the ledger; ids that somebody made up in another form have none."""
    try:
        return UUID(task_id)
    except ValueError:
        return None


def origin(request: Any) -> dict[str, Any]:
    """What Celery's request tells of a run, whatever becomes of it."""
    return {
        "name": getattr(request, "task", None),
        "queue": (getattr(request, "delivery_info", None) or {}).get("routing_key"),
        "worker": getattr(request, "hostname", None),
        **{name: getattr(request, name, None) for name in ("requested_by", "request_id", "queued_at", "schedule_id")},
    }
