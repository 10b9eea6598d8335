"""Appends run events to the Redis stream that `tasks.record` persists to the table `task_runs`."""

import asyncio
import time
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import cached_property, lru_cache
from itertools import chain
from typing import Any, NamedTuple
from uuid import UUID

import structlog
from redis.asyncio import Redis

from src.core.outages import report_outage
from src.core.stores.errors import as_unavailable, summary
from src.core.tasks.run_event import CAPACITY, STREAM, RunEvent, UncheckedRunEvent, revocation_key
from src.queues.pool.greenlet_bridge import await_in_bridge, in_bridge
from src.queues.pool.micro_batcher import MicroBatcher
from src.utils.redis_pool import blocking_client, connection_pool

log = structlog.get_logger(__name__)

REDELIVERIES_SECONDS = 24 * 3600
TIMEOUTS: dict[str, Any] = {"socket_timeout": 1, "socket_connect_timeout": 1}
# How long an outcome waits for Redis, as that of a result does.
WAIT_SECONDS = 30
RETRY_SECONDS = 0.5
# How many late outcomes are written with an event.
MAXIMUM_LATE = 1000
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

    event: RunEvent | UncheckedRunEvent
    starts: bool = False
    is_redelivered: bool = False
    is_requeued: bool = False


class RunHistory:
    """Records run events.

    If Redis is unavailable, a run starts without being recorded. An outcome waits, because the run's message is
    acknowledged next: if the worker is lost meanwhile, the run is repeated. After `WAIT_SECONDS` the worker goes on,
    and records it with its next event.

    Each call is one round trip; in the asyncio pool, concurrent calls share one.

    Args:
        url: The Redis database that holds the stream.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._late: deque[RunNotification] = deque(maxlen=CAPACITY)

    def start(self, event: RunEvent | UncheckedRunEvent, *, is_redelivered: bool) -> StartInfo:
        """Record that a run starts; returns what Redis knows about the run."""
        return self._notify(RunNotification(event, starts=True, is_redelivered=is_redelivered)) or StartInfo()

    def record(self, event: RunEvent | UncheckedRunEvent, *, is_requeued: bool = False, waits: bool = True) -> None:
        """Record a change of a run.

        Args:
            event: The change.
            is_requeued: The run returns to its queue. Its redelivery counter is reset: its worker has survived it.
            waits: Whether to wait for Redis.
        """
        notification = RunNotification(event, is_requeued=is_requeued)
        deadline = time.monotonic() + (WAIT_SECONDS if waits else 0)
        while self._notify(notification) is None:
            if time.monotonic() >= deadline:
                self._late.append(notification)
                return
            if in_bridge():
                await_in_bridge(asyncio.sleep(RETRY_SECONDS))
            else:
                time.sleep(RETRY_SECONDS)

    def _notify(self, notification: RunNotification) -> StartInfo | None:
        """Write a notification; returns None if Redis is unavailable."""
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
    def _batcher(self) -> MicroBatcher[RunNotification, StartInfo | None]:
        # With two in flight, an event need not wait for the batch before its own: sleeping runs gain 5 %.
        return MicroBatcher(self._write_from_loop, in_flight=2)

    def _write(self, notifications: Sequence[RunNotification]) -> list[StartInfo | None]:
        batch = self._with_late(notifications)
        try:
            commands = [_commands(notification) for notification in batch]
            infos = _start_infos(commands, self._script(*_script_arguments(batch, commands)))
        except Exception as error:
            infos = self._failed(batch, notifications, error)
        return infos[-len(notifications) :]

    async def _write_from_loop(self, notifications: Sequence[RunNotification]) -> list[StartInfo | None]:
        batch = self._with_late(notifications)
        try:
            commands = [_commands(notification) for notification in batch]
            infos = _start_infos(commands, await self._async_script(*_script_arguments(batch, commands)))
        except Exception as error:
            infos = self._failed(batch, notifications, error)
        return infos[-len(notifications) :]

    def _with_late(self, notifications: Sequence[RunNotification]) -> list[RunNotification]:
        late: list[RunNotification] = []
        with suppress(IndexError):  # another thread may take them
            while len(late) < MAXIMUM_LATE:
                late.append(self._late.popleft())
        return [*late, *notifications]

    def _failed(
        self, batch: Sequence[RunNotification], notifications: Sequence[RunNotification], error: Exception
    ) -> list[StartInfo | None]:
        """Keep what is late already; returns what is known of the other runs."""
        self._late.extendleft(reversed(batch[: len(batch) - len(notifications)]))
        if as_unavailable(error):
            report_outage("redis", summary(error))
            return [None] * len(notifications)
        log.error("runs_not_recorded", task_ids=[str(each.event.id) for each in notifications], reason=summary(error))
        return [StartInfo()] * len(notifications)


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
    notifications: Sequence[RunNotification], commands: Sequence[dict[str, str]]
) -> tuple[list[str], list[str | int]]:
    """Keys and arguments of `RECORD`."""
    names, keys = chain.from_iterable(commands), chain.from_iterable(each.values() for each in commands)
    events = (notification.event.to_json() for notification in notifications)
    return [STREAM, *keys], [CAPACITY, REDELIVERIES_SECONDS, *names, *events]


def _start_infos(commands: Sequence[dict[str, str]], results: Iterable[int]) -> list[StartInfo | None]:
    """The results of `RECORD`, per notification."""
    remaining = iter(results)
    by_command = [{name: next(remaining) for name in each} for each in commands]
    return [StartInfo(bool(result.get("EXISTS")), result.get("INCR", 0)) for result in by_command]


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
