"""What becomes of every run, told to the ledger by whoever executes it."""

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property, lru_cache
from typing import Any, NamedTuple
from uuid import UUID

import structlog
from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from redis.exceptions import RedisError

from src.core.tasks.run_event import CAPACITY, STREAM, RunEvent, revocation_key
from src.queues.pool.greenlet_bridge import await_in_bridge, in_bridge
from src.queues.pool.micro_batcher import MicroBatcher

log = structlog.get_logger(__name__)

REDELIVERIES_SECONDS = 24 * 3600
TIMEOUTS: dict[str, Any] = {"socket_timeout": 1, "socket_connect_timeout": 1}
# What a row keeps of arguments and results.
MAXIMUM_BYTES = 16 * 1024
# Asks or changes each further key by its verb, and writes the events down: one command for all told at a moment.
TELL = """
local capacity, seconds = ARGV[1], ARGV[2]
local answers = {}
for key = 2, #KEYS do
    local verb = ARGV[key + 1]
    answers[key - 1] = redis.call(verb, KEYS[key])
    if verb == 'INCR' then redis.call('EXPIRE', KEYS[key], seconds) end
end
for event = #KEYS + 2, #ARGV do redis.call('XADD', KEYS[1], 'MAXLEN', '~', capacity, '*', 'event', ARGV[event]) end
return answers
"""


class StartInfo(NamedTuple):
    """What is known of a run that is about to start: whether it was revoked, and how often it was begun in vain."""

    is_revoked: bool = False
    redeliveries: int = 0


class RunNotification(NamedTuple):
    """What the ledger is told, and whether the run is about to start, perhaps again, or goes back to its queue."""

    event: RunEvent
    starts: bool = False
    is_redelivered: bool = False
    goes_back: bool = False


class RunHistory:
    """Tells of runs in a Redis stream; a Redis that is away fails no task.

    Each is one round trip, and in the asyncio pool those of the same moment share it.

    Args:
        url: Of the Redis that the ledger is written from.
    """

    def __init__(self, url: str) -> None:
        self._url = url

    def start(self, event: RunEvent, *, is_redelivered: bool) -> StartInfo:
        """Tell that a run starts, and ask what is known of it."""
        return self._do(RunNotification(event, starts=True, is_redelivered=is_redelivered))

    def tell(self, event: RunEvent) -> None:
        """Tell what became of a run."""
        self._do(RunNotification(event))

    def give_back(self, event: RunEvent) -> None:
        """Tell that a run goes back to its queue; its worker has survived all that was begun until now."""
        self._do(RunNotification(event, goes_back=True))

    def _do(self, notification: RunNotification) -> StartInfo:
        if in_bridge():
            return await_in_bridge(self._batches.put(notification))
        (start,) = self._write([notification])
        return start

    @cached_property
    def _script(self) -> Any:
        return Redis.from_url(self._url, **TIMEOUTS).register_script(TELL)

    @cached_property
    def _script_of_loop(self) -> Any:
        return AsyncRedis.from_url(self._url, **TIMEOUTS).register_script(TELL)

    @cached_property
    def _batches(self) -> MicroBatcher[RunNotification, StartInfo]:
        return MicroBatcher(self._write_from_loop)

    def _write(self, notifications: Sequence[RunNotification]) -> list[StartInfo]:
        try:
            return _starts(notifications, self._script(*_command(notifications)))
        except RedisError as error:
            return _lost(notifications, error)

    async def _write_from_loop(self, notifications: Sequence[RunNotification]) -> list[StartInfo]:
        try:
            return _starts(notifications, await self._script_of_loop(*_command(notifications)))
        except RedisError as error:
            return _lost(notifications, error)


def _asked(notification: RunNotification) -> Iterator[tuple[str, str]]:
    """Verbs and keys of what a notification asks or changes."""
    redeliveries = f"tasks:redeliveries:{notification.event.id}"
    if notification.starts:
        yield "EXISTS", revocation_key(notification.event.id)
    if notification.is_redelivered:
        yield "INCR", redeliveries
    if notification.goes_back:
        yield "DEL", redeliveries


def _command(notifications: Sequence[RunNotification]) -> tuple[list[str], list[str | int]]:
    """The keys and arguments of `TELL`."""
    asked = [each for notification in notifications for each in _asked(notification)]
    verbs, events = [verb for verb, _ in asked], [notification.event.written() for notification in notifications]
    return [STREAM, *(key for _, key in asked)], [CAPACITY, REDELIVERIES_SECONDS, *verbs, *events]


def _starts(notifications: Sequence[RunNotification], answers: Iterable[int]) -> list[StartInfo]:
    """What `TELL` answered, for each notification."""
    left = iter(answers)
    answered = [{verb: next(left) for verb, _ in _asked(notification)} for notification in notifications]
    return [StartInfo(bool(each.get("EXISTS")), each.get("INCR", 0)) for each in answered]


def _lost(notifications: Sequence[RunNotification], error: RedisError) -> list[StartInfo]:
    log.warning(
        "runs_not_recorded", task_ids=[str(notification.event.id) for notification in notifications], reason=str(error)
    )
    return [StartInfo()] * len(notifications)


@lru_cache
def ledger_at(url: str) -> RunHistory:
    """The ledger of this process; clients of Redis know when they were forked."""
    return RunHistory(url)


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
