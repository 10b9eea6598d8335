import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, wraps
from typing import Any, NamedTuple

from celery import states
from celery.backends.redis import RedisBackend
from celery.exceptions import BackendStoreError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from src.core.outages import report_outage
from src.core.stores.errors import as_unavailable, summary
from src.queues.pool.greenlet_bridge import await_in_bridge, in_bridge, off_loop
from src.queues.pool.micro_batcher import MicroBatcher

# Stores results unless they are stale, by the rule of `Result.is_stale_after`. Celery reads a result before it writes
# one; here Redis does both in one step.
# KEYS: of the results. ARGV: for each its value, and the seconds until it expires (0: never).
STORE = """
local function has_state(value, state)
    local start = '{"status": "' .. state .. '"'
    return string.sub(value, 1, #start) == start
end
for i, key in ipairs(KEYS) do
    local value, expires = ARGV[2 * i - 1], tonumber(ARGV[2 * i])
    local stored = redis.call('GETRANGE', key, 0, 31)
    local ended = has_state(stored, 'FAILURE') or has_state(stored, 'REVOKED')
    if not (has_state(stored, 'SUCCESS') or (has_state(value, 'RETRY') and ended)) then
        if expires > 0 then redis.call('SETEX', key, expires, value) else redis.call('SET', key, value) end
        redis.call('PUBLISH', key, value)
    end
end
"""


class Result(NamedTuple):
    """A result to store; `expires_seconds` of 0 means never."""

    key: str
    value: str
    expires_seconds: int
    state: str

    def is_stale_after(self, stored: "Result") -> bool:
        """Whether this state is stale: SUCCESS is final, and RETRY never overwrites a finished state."""
        has_ended = stored.state in states.READY_STATES
        return stored.state == states.SUCCESS or (self.state == states.RETRY and has_ended)


def newest_by_key(results: Iterable[Result]) -> list[Result]:
    """The results that remain of several in order, one per task."""
    newest: dict[str, Result] = {}
    for result in results:
        stored = newest.get(result.key)
        if stored is None or not result.is_stale_after(stored):
            newest[result.key] = result
    return list(newest.values())


def _off_loop(method: Callable[..., Any]) -> Callable[..., Any]:
    """A blocking method that runs on a thread when the asyncio pool calls it."""

    @wraps(method)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        return off_loop(None, method, self, *args, **kwargs)

    return call


class ResultBackend(RedisBackend):
    """Celery's Redis result backend with fewer round trips, which does not block the loop of the asyncio pool.

    Sending a task subscribes to nothing, and results are stored in one step, together with other results that are
    ready.
    """

    on_chord_part_return = _off_loop(RedisBackend.on_chord_part_return)
    _fail_chain = _off_loop(RedisBackend._fail_chain)
    _call_task_errbacks = _off_loop(RedisBackend._call_task_errbacks)

    def on_task_call(self, producer: Any, task_id: str) -> None:
        """Do not subscribe when a task is sent: waiting for its result looks it up, then subscribes."""

    def _store_result(
        self, task_id: str, result: Any, state: str, traceback: str | None = None, request: Any = None, **_: Any
    ) -> Any:
        meta = self._get_result_meta(result=result, state=state, traceback=traceback, request=request)
        value: Any = self.encode({**meta, "task_id": task_id})
        if len(value) > self._MAX_STR_VALUE_SIZE:
            raise BackendStoreError("The result is too large for Redis.", state=state, task_id=task_id)
        expires = self.failure_expires if state == states.FAILURE else self.expires
        stored = Result(self.get_key_for_task(task_id), value, expires or 0, state)
        if not in_bridge():
            self._write([stored])
            return result
        written = self._batcher.put(stored)
        if state in states.READY_STATES:  # the message is acknowledged next
            await_in_bridge(written)
        return result

    def _write(self, results: list[Result]) -> list[None]:
        newest = newest_by_key(results)
        keys = [result.key for result in newest]
        values = [value for result in newest for value in (result.value, result.expires_seconds)]
        self.ensure(self._run_script, (keys, values))
        return [None] * len(results)

    def _run_script(self, keys: list[str], values: list[Any]) -> None:
        try:
            self._script(keys, values)
        except ResponseError as error:
            if as_unavailable(error):  # such as one without memory; Celery would give up at once
                raise RedisConnectionError(str(error)) from error
            raise

    def on_connection_error(self, _max_retries: Any, error: Exception, intervals: Any, _retries: int) -> Any:
        """Report the outage once, where Celery logs each attempt; returns the seconds until the next one."""
        report_outage("results", summary(error))
        return next(intervals)

    @cached_property
    def _script(self) -> Any:
        return self.client.register_script(STORE)

    @cached_property
    def _batcher(self) -> MicroBatcher[Result, None]:
        thread = ThreadPoolExecutor(1, thread_name_prefix="results")
        return MicroBatcher(lambda results: asyncio.get_running_loop().run_in_executor(thread, self._write, results))
