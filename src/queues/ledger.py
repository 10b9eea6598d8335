"""What becomes of every run, told to the ledger by whoever executes it."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, lru_cache
from typing import Any, NamedTuple
from uuid import UUID

import structlog
from redis import Redis
from redis.exceptions import RedisError

from src.core.run_event import CAPACITY, STREAM, RunEvent, revocation_key
from src.queues.batches import Batches
from src.queues.tracer import tracing, wait_for

log = structlog.get_logger(__name__)

REDELIVERIES_SECONDS = 24 * 3600
# What a row keeps of arguments and results.
MAXIMUM_BYTES = 16 * 1024
# Writes events down, and says of each further key whether it is there: one command for all that is told at a moment.
TELL = """
for event = 2, #ARGV do redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', 'event', ARGV[event]) end
local known = {}
for key = 2, #KEYS do known[key - 1] = redis.call('EXISTS', KEYS[key]) end
return known
"""


class Start(NamedTuple):
    """What is known of a run that is about to start: whether it was revoked, and how often it was begun in vain."""

    is_revoked: bool = False
    redeliveries: int = 0


class Note(NamedTuple):
    """What the ledger is told, and whether the run is about to start, perhaps again, or goes back to its queue."""

    event: RunEvent
    starts: bool = False
    is_redelivered: bool = False
    goes_back: bool = False


class Ledger:
    """Tells of runs in a Redis stream; a Redis that is away fails no task.

    Each is one round trip, and in the asyncio pool those of the same moment share it.

    Args:
        url: Of the Redis that the ledger is written from.
    """

    def __init__(self, url: str) -> None:
        self._redis = Redis.from_url(url, socket_timeout=1, socket_connect_timeout=1)
        self._tell = self._redis.register_script(TELL)

    def start(self, event: RunEvent, *, is_redelivered: bool) -> Start:
        """Tell that a run starts, and ask what is known of it."""
        return self._do(Note(event, starts=True, is_redelivered=is_redelivered))

    def tell(self, event: RunEvent) -> None:
        """Tell what became of a run."""
        self._do(Note(event))

    def give_back(self, event: RunEvent) -> None:
        """Tell that a run goes back to its queue; its worker has survived all that was begun until now."""
        self._do(Note(event, goes_back=True))

    def _do(self, note: Note) -> Start:
        if tracing():
            return wait_for(self._batches.put(note))
        (start,) = self._write([note])
        return start

    @cached_property
    def _batches(self) -> Batches[Note, Start]:
        return Batches(self._write, ThreadPoolExecutor(1, thread_name_prefix="ledger"))

    def _write(self, notes: Sequence[Note]) -> list[Start]:
        keys = [STREAM, *(revocation_key(note.event.id) for note in notes if note.starts)]
        try:
            revoked = iter(self._tell(keys, [CAPACITY, *(note.event.written() for note in notes)]))
            return [Start(note.starts and bool(next(revoked)), self._redeliveries(note)) for note in notes]
        except RedisError as error:
            log.warning("runs_not_recorded", task_ids=[str(note.event.id) for note in notes], reason=str(error))
            return [Start()] * len(notes)

    def _redeliveries(self, note: Note) -> int:
        """How often a run was begun by workers that were lost, this one included."""
        key = f"tasks:redeliveries:{note.event.id}"
        if note.goes_back:
            self._redis.delete(key)
        if not note.is_redelivered:
            return 0
        with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.incr(key)
            pipeline.expire(key, REDELIVERIES_SECONDS)
            return int(pipeline.execute()[0])


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
