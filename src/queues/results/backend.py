import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, wraps
from typing import Any

from celery import states
from celery.backends.redis import RedisBackend
from celery.exceptions import BackendStoreError

from src.queues.pool.greenlet_bridge import await_in_bridge, in_bridge, off_loop
from src.queues.pool.micro_batcher import MicroBatcher
from src.queues.results.result import Result, last_of_each

# Celery reads a state before it writes one, lest a run that is late overwrites success: here Redis does, in one step.
# Nor does the word that a task is tried again replace how that ended: `Result.is_late_after` in Redis' words.
STORE = """
local function says(value, state)
    local start = '{"status": "' .. state .. '"'
    return string.sub(value, 1, #start) == start
end
for i, key in ipairs(KEYS) do
    local value, expires = ARGV[2 * i - 1], tonumber(ARGV[2 * i])
    local known = redis.call('GETRANGE', key, 0, 31)
    local ended = says(known, 'FAILURE') or says(known, 'REVOKED')
    if not (says(known, 'SUCCESS') or (says(value, 'RETRY') and ended)) then
        if expires > 0 then redis.call('SETEX', key, expires, value) else redis.call('SET', key, value) end
        redis.call('PUBLISH', key, value)
    end
end
"""


def _off_loop(method: Callable[..., Any]) -> Callable[..., Any]:
    """A method that blocks, on a thread of the loop's when a tracer calls it there."""

    @wraps(method)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        return off_loop(None, method, self, *args, **kwargs)

    return call


class ResultBackend(RedisBackend):
    """Results in Redis, for fewer round trips than Celery's own, and without blocking the loop of the asyncio pool.

    Sending a task costs no subscription; storing a result costs one step, shared by the results of that moment.
    """

    on_chord_part_return = _off_loop(RedisBackend.on_chord_part_return)
    _fail_chain = _off_loop(RedisBackend._fail_chain)
    _call_task_errbacks = _off_loop(RedisBackend._call_task_errbacks)

    def on_task_call(self, producer: Any, task_id: str) -> None:
        """Publishing costs no subscription: waiting for a result looks it up first, then subscribes."""

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
        written = self._batches.put(stored)
        if state in states.READY_STATES:  # what the acknowledgement has to wait for
            await_in_bridge(written)
        return result

    def _write(self, results: list[Result]) -> list[None]:
        last = last_of_each(results)
        keys = [result.key for result in last]
        values = [value for result in last for value in (result.value, result.expires_seconds)]
        self.ensure(self._script, (keys, values))
        return [None] * len(results)

    @cached_property
    def _script(self) -> Any:
        return self.client.register_script(STORE)

    @cached_property
    def _batches(self) -> MicroBatcher[Result, None]:
        thread = ThreadPoolExecutor(1, thread_name_prefix="results")
        return MicroBatcher(lambda results: asyncio.get_running_loop().run_in_executor(thread, self._write, results))
