"""Whether a run may start: `unique_by` and `rate_limit_key`, which count across all workers, in Redis."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import cache, lru_cache
from hashlib import sha256
from typing import Any

from celery.exceptions import ImproperlyConfigured
from celery.utils.time import rate
from pydantic_core import to_json
from redis.exceptions import RedisError

from src.queues.pool.greenlet_bridge import off_loop
from src.queues.results.postpone import postpone
from src.queues.results.run_history import TIMEOUTS
from src.utils.redis_pool import blocking_client

DAY_SECONDS = 24 * 3600
# How much longer than its hard time limit a run may hold its lock.
MARGIN_SECONDS = 60
RETRY_SECONDS = 5
# The message header of a run that has waited for its turn: which of its attempts may start now.
TURN = "rate_limit_turn"

# KEYS: the hash of a task's locks. ARGV: the arguments' digest, the run's id, the seconds until the lock expires.
# Returns: the id of the run that holds the lock.
ACQUIRE = """
local now = tonumber(redis.call('TIME')[1])
local lock = redis.call('HGET', KEYS[1], ARGV[1])
if lock then
    local expires, holder = string.match(lock, '^(%d+) (.+)$')
    if holder ~= ARGV[2] and tonumber(expires) > now then return holder end
end
redis.call('HSET', KEYS[1], ARGV[1], string.format('%d %s', now + ARGV[3], ARGV[2]))
return ARGV[2]
"""
# Deletes a run's lock, and expired ones. KEYS: the hash of a task's locks. ARGV: the run's id.
RELEASE = """
local now = tonumber(redis.call('TIME')[1])
local locks = redis.call('HGETALL', KEYS[1])
for i = 1, #locks, 2 do
    local expires, holder = string.match(locks[i + 1], '^(%d+) (.+)$')
    if holder == ARGV[1] or tonumber(expires) <= now then redis.call('HDEL', KEYS[1], locks[i]) end
end
"""
# Takes the next turn of a key. KEYS: the time of that turn, in milliseconds. ARGV: the time between two turns.
# Returns: the milliseconds until the turn.
TAKE_TURN = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local turn = math.max(now, tonumber(redis.call('GET', KEYS[1]) or 0))
redis.call('SET', KEYS[1], string.format('%.0f', turn + ARGV[1]), 'PX', string.format('%.0f', turn + ARGV[1] - now))
return turn - now
"""


class StartLimits:
    """Locks and turns of runs.

    Args:
        url: The Redis database that holds them.
    """

    def __init__(self, url: str) -> None:
        client = blocking_client(url, decode_responses=True, **TIMEOUTS)
        self._acquire, self._release = client.register_script(ACQUIRE), client.register_script(RELEASE)
        self._take_turn = client.register_script(TAKE_TURN)

    def acquire(self, task: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str | None:
        """Lock the arguments that `unique_by` names; returns the id of the run that holds the lock, if another does."""
        request = task.request
        limit = (request.timelimit or (None,))[0] or task.time_limit or DAY_SECONDS
        values = _digest(task, task.unique_by, args, kwargs)
        holder = _call(task, self._acquire, [_locks(task)], [values, request.id, int(limit) + MARGIN_SECONDS])
        return None if holder == request.id else str(holder)

    def release(self, task: Any, task_id: str) -> None:
        """Release the lock of a run that has ended; if Redis is unavailable, it expires."""
        try:
            off_loop(None, self._release, [_locks(task)], [task_id])
        except RedisError:
            return

    def wait_for_turn(self, task: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        """Postpone a run that would exceed `rate_limit` for the arguments that `rate_limit_key` names.

        Raises:
            Retry: The run was sent again, for the time of its turn.
        """
        per_second = rate(task.rate_limit)
        if not per_second or getattr(task.request, TURN, None) == task.request.retries:
            return
        key = f"tasks:rate:{task.name}:{_digest(task, task.rate_limit_key, args, kwargs)}"
        wait = _call(task, self._take_turn, [key], [1000 / per_second])
        if wait > 0:
            postpone(task, wait / 1000, f"rate limit of {task.rate_limit}", {TURN: task.request.retries})


@lru_cache
def start_limits(url: str) -> StartLimits:
    """The limits of this process; Redis clients detect that they were forked."""
    return StartLimits(url)


def check_declaration(task: Any) -> None:
    """Check the options of a task.

    Raises:
        ImproperlyConfigured: They name no parameter of it, or there is no rate for `rate_limit_key`.
    """
    for option in ("unique_by", "rate_limit_key"):
        names = _names(getattr(task, option) or ())
        if names and (unknown := set(names) - set(inspect.signature(task.run).parameters)):
            raise ImproperlyConfigured(f"Task {task.name}: {option} names no parameter: {', '.join(sorted(unknown))}.")
    if task.rate_limit_key is not None and not task.rate_limit:
        raise ImproperlyConfigured(f"Task {task.name}: rate_limit_key needs a rate_limit.")


def _call(task: Any, script: Callable[..., Any], keys: Sequence[Any], args: Sequence[Any]) -> Any:
    """Run a script; without Redis the run waits, since it must not start unchecked."""
    try:
        return off_loop(None, script, keys, args)
    except RedisError as error:
        return postpone(task, RETRY_SECONDS, f"Redis is unavailable: {error}", {})


def _locks(task: Any) -> str:
    return f"tasks:unique:{task.name}"


def _digest(task: Any, option: str | Sequence[str], args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
    bound = _signature(task.run).bind_partial(*args, **kwargs)
    bound.apply_defaults()
    values = [bound.arguments.get(name) for name in _names(option)]
    return sha256(to_json(values, fallback=repr)).hexdigest()


def _names(option: str | Sequence[str]) -> Sequence[str]:
    return (option,) if isinstance(option, str) else option


@cache
def _signature(run: Callable[..., Any]) -> inspect.Signature:
    return inspect.signature(run)
