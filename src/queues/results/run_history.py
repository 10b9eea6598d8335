"""Appends run events to the Redis stream that `tasks.record` persists to the table `task_runs`."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property, lru_cache
from itertools import chain
from typing import Any, NamedTuple
from uuid import UUID

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from src.core.outages import report_outage
from src.core.stores.errors import summary
from src.core.tasks.run_event import CAPACITY, STREAM, RunEvent, revocation_key
from src.queues.pool.greenlet_bridge import await_in_bridge, in_bridge
from src.queues.pool.micro_batcher import MicroBatcher
from src.utils.redis_pool import blocking_client, connection_pool

log = structlog.get_logger(__name__)

REDELIVERIES_SECONDS = 24 * 3600
TIMEOUTS: dict[str, Any] = {"socket_timeout": 1, "socket_connect_timeout": 1}
# Runs one command on each key but the first, and appends the events to the stream.
# KEYS: the stream, then the key of each command.
# ARGV: the stream's capacity, the lifetime of redelivery counters, the name of each command, the events.
# Returns: the result of each command.
RECORD = """
local capacity, seconds = ARGV[1], ARGV[2]
local results = {}
for key = 2, #KEYS do
    local command = ARGV[key + 1]
    results[key - 1] = redis.call(command, KEYS[key])
    if command == 'INCR' then redis.call('EXPIRE', KEYS[key], seconds) end
end
for event = #KEYS + 2, #ARGV do redis.call('XADD', KEYS[1], 'MAXLEN', '~', capacity, '*', 'event', ARGV[event]) end
return results
"""


class StartInfo(NamedTuple):
    """Whether a run that is about to start was revoked, and how often it was redelivered after losing its worker."""

    is_revoked: bool = False
    redeliveries: int = 0


class RunNotification(NamedTuple):
    """A run event, and whether the run is about to start, possibly redelivered, or returns to its queue."""

    event: RunEvent
    starts: bool = False
    is_redelivered: bool = False
    is_requeued: bool = False


class RunHistory:
    """Records run events. If Redis is unavailable, it logs them as lost and the task goes on.

    Each call is one round trip; in the asyncio pool, concurrent calls share one.

    Args:
        url: The Redis database that holds the stream.
    """

    def __init__(self, url: str) -> None:
        self._url = url

    def start(self, event: RunEvent, *, is_redelivered: bool) -> StartInfo:
        """Record that a run starts; returns what Redis knows about the run."""
        return self._notify(RunNotification(event, starts=True, is_redelivered=is_redelivered))

    def record(self, event: RunEvent) -> None:
        """Record a change of a run."""
        self._notify(RunNotification(event))

    def requeue(self, event: RunEvent) -> None:
        """Record that a run returns to its queue, and reset its redelivery counter: its worker has survived it."""
        self._notify(RunNotification(event, is_requeued=True))

    def _notify(self, notification: RunNotification) -> StartInfo:
        if in_bridge():
            return await_in_bridge(self._batcher.put(notification))
        (start,) = self._write([notification])
        return start

    @cached_property
    def _script(self) -> Any:
        return blocking_client(self._url, **TIMEOUTS).register_script(RECORD)

    @cached_property
    def _async_script(self) -> Any:
        return Redis.from_pool(connection_pool(self._url, **TIMEOUTS)).register_script(RECORD)

    @cached_property
    def _batcher(self) -> MicroBatcher[RunNotification, StartInfo]:
        return MicroBatcher(self._write_from_loop)

    def _write(self, notifications: Sequence[RunNotification]) -> list[StartInfo]:
        commands = [_commands(notification) for notification in notifications]
        try:
            return _start_infos(commands, self._script(*_script_arguments(notifications, commands)))
        except RedisError as error:
            return _log_lost(notifications, error)

    async def _write_from_loop(self, notifications: Sequence[RunNotification]) -> list[StartInfo]:
        commands = [_commands(notification) for notification in notifications]
        try:
            return _start_infos(commands, await self._async_script(*_script_arguments(notifications, commands)))
        except RedisError as error:
            return _log_lost(notifications, error)


def _commands(notification: RunNotification) -> dict[str, str]:
    """The commands of a notification, each with its key."""
    commands = {}
    if notification.starts:
        commands["EXISTS"] = revocation_key(notification.event.id)
    if notification.is_redelivered:
        commands["INCR"] = f"tasks:redeliveries:{notification.event.id}"
    if notification.is_requeued:
        commands["DEL"] = f"tasks:redeliveries:{notification.event.id}"
    return commands


def _script_arguments(
    notifications: Sequence[RunNotification], commands: Sequence[Mapping[str, str]]
) -> tuple[list[str], list[str | int]]:
    """Keys and arguments of `RECORD`."""
    names, keys = chain.from_iterable(commands), chain.from_iterable(each.values() for each in commands)
    events = (notification.event.to_json() for notification in notifications)
    return [STREAM, *keys], [CAPACITY, REDELIVERIES_SECONDS, *names, *events]


def _start_infos(commands: Sequence[Mapping[str, str]], results: Iterable[int]) -> list[StartInfo]:
    """The results of `RECORD`, per notification."""
    remaining = iter(results)
    by_command = [{name: next(remaining) for name in each} for each in commands]
    return [StartInfo(bool(result.get("EXISTS")), result.get("INCR", 0)) for result in by_command]


def _log_lost(notifications: Sequence[RunNotification], error: RedisError) -> list[StartInfo]:
    task_ids = [str(notification.event.id) for notification in notifications]
    report_outage("redis", summary(error))
    log.info("runs_not_recorded", task_ids=task_ids)
    return [StartInfo()] * len(notifications)


@lru_cache
def run_history(app: Any) -> RunHistory:
    """The run history of an application in this process; Redis clients detect that they were forked."""
    return RunHistory(app.conf.run_history_url)


@lru_cache(maxsize=1024)
def run_id(task_id: str) -> UUID | None:
    """The primary key of a run; None for a custom task id that is no UUID, whose run is not recorded."""
    try:
        return UUID(task_id)
    except ValueError:
        return None
