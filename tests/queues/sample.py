"""Tasks for tests, on the product's own application; run them with `celery -A tests.queues.sample`."""

import asyncio
import os
import threading
import time
from typing import Any
from uuid import UUID

from celery import current_task
from celery.exceptions import Ignore, Reject, SoftTimeLimitExceeded
from celery.signals import task_revoked
from pydantic import BaseModel
from redis import Redis
from sqlalchemy import text

from src.core.config import settings
from src.core.resources import current_resources
from src.core.tasks.errors import PermanentError
from src.deps.database import RedisDep, SessionDep, UnitOfWorkDep
from src.queues.app import app
from src.queues.celery import Task
from src.queues.progress import progress
from src.schemas.task import TaskProgress
from tests.queues import limited

__all__ = ["app", "limited"]

# Messages of a killed worker return to the queue after seconds instead of half an hour.
app.conf.broker_transport_options = {
    **app.conf.broker_transport_options,
    "visibility_timeout": float(os.environ.get("SAMPLE_VISIBILITY_TIMEOUT", "4")),
    "unacked_restore_interval": 1,
}
app.conf.misfire_grace_seconds = float(os.environ.get("SAMPLE_MISFIRE_GRACE_SECONDS", "60"))
if option := os.environ.get("SAMPLE_BAD_ENTRY"):
    app.conf.beat_schedule = {"bad": {"task": "sample.add", "schedule": 10, "options": {option: 1}}}
if limit := os.environ.get("SAMPLE_TIME_LIMIT"):
    app.conf.task_time_limit = app.conf.task_soft_time_limit = float(limit)
# The queue of tasks that name none; a worker's own, so that it gets their retries and chains.
default_queue = os.environ.get("SAMPLE_QUEUE")


def route(*_args: object, **_options: object) -> dict[str, str] | None:
    return {"queue": default_queue} if default_queue else None


app.conf.task_routes = [route]
# A worker whose loop is blocked restarts soon enough for a test.
app.conf.loop_lost_after_seconds = float(os.environ.get("SAMPLE_LOST_AFTER", "60"))


# The default of injected parameters: it tells type checkers that callers pass no value.
INJECTED: Any = None


class Point(BaseModel):
    x: int
    y: int


class FlakyError(Exception):
    pass


@app.task(name="sample.add")
async def add(x: int, y: int) -> int:
    await asyncio.sleep(0)
    return x + y


@app.task(name="sample.total")
async def total(numbers: list[int]) -> int:
    return sum(numbers)


@app.task(name="sample.multiply")
def multiply(x: int, y: int) -> int:
    return x * y


@app.task(name="sample.process_id")
async def process_id() -> int:
    return os.getpid()


@app.task(name="sample.query")
async def query(session: SessionDep = INJECTED) -> list[int]:
    """Ids of the process, its engine and its Redis client, and the number of connections in use."""
    await session.exec(text("SELECT 1"))  # type: ignore[call-overload]  # SQL text
    resources = current_resources()
    pool: Any = resources.engine.pool
    return [os.getpid(), id(resources.engine), id(resources.redis), pool.checkedout()]


@app.task(name="sample.fail")
async def fail() -> None:
    async def innermost() -> None:
        raise ValueError("as planned")

    await innermost()


@app.task(name="sample.flaky", bind=True, autoretry_for=(FlakyError,), retry_kwargs={"max_retries": 3, "countdown": 0})
async def flaky(self: Any, failures: int) -> int:
    await asyncio.sleep(0)
    if self.request.retries < failures:
        raise FlakyError
    return int(self.request.retries)


@app.task(name="sample.outage", bind=True, max_retries=1)
async def outage(self: Task, key: str, failures: int, redis: RedisDep = INJECTED) -> int:
    """Meet an unavailable store so many times, then retry once."""
    if (runs := await redis.incr(f"{key}:runs")) <= failures:
        raise ConnectionRefusedError
    if runs == failures + 1:
        raise self.retry(countdown=0)
    return int(runs)


@app.task(name="sample.outage_in_thread", bind=True, max_retries=1)
def outage_in_thread(self: Task, key: str, failures: int) -> int:
    with Redis.from_url(settings.REDIS_DATABASE_URL) as redis:
        if (runs := int(redis.incr(f"{key}:runs"))) <= failures:
            raise ConnectionRefusedError
    if runs == failures + 1:
        raise self.retry(countdown=0)
    return runs


@app.task(name="sample.long_outage", outage_retry_seconds=1.5)
async def long_outage() -> None:
    raise ConnectionRefusedError


@app.task(name="sample.hopeless")
async def hopeless() -> None:
    raise PermanentError("It cannot help.")


@app.task(name="sample.again", bind=True, max_retries=3)
async def again(self: Any, failures: int) -> int:
    await asyncio.sleep(0)
    if self.request.retries < failures:
        raise self.retry(countdown=0)
    return int(self.request.retries)


@app.task(name="sample.returned", bind=True, max_retries=1)
async def returned(self: Any, countdown: float) -> list[Any]:
    """Retry once; returns where the second attempt came from, and with which priority."""
    if not self.request.retries:
        raise self.retry(countdown=countdown)
    delivery = self.request.delivery_info
    return [delivery["exchange"], delivery["routing_key"], delivery["priority"]]


@app.task(name="sample.overdue", track_started=True, soft_time_limit=1, time_limit=20)
async def overdue(*, handles: bool) -> str:
    try:
        await asyncio.sleep(15)
    except SoftTimeLimitExceeded:
        if not handles:
            raise
        await asyncio.sleep(0)
    return "tidied up"


@app.task(name="sample.overdue_child", soft_time_limit=1, time_limit=20)
async def overdue_child() -> str:
    try:
        await asyncio.gather(asyncio.sleep(15), asyncio.wait_for(asyncio.sleep(15), 14))
    except asyncio.CancelledError as limit:
        return type(limit).__name__
    return "was not interrupted"


@app.task(name="sample.overrun", soft_time_limit=1, time_limit=2)
async def overrun() -> None:
    while True:
        try:
            await asyncio.sleep(15)
        except SoftTimeLimitExceeded:
            continue


@app.task(name="sample.hard_limited", time_limit=2)
async def hard_limited() -> None:
    await asyncio.sleep(30)


@app.task(name="sample.soft_limited", soft_time_limit=30)
async def soft_limited(seconds: float) -> str:
    await asyncio.sleep(seconds)
    return "finished"


@app.task(name="sample.identities", bind=True)
async def identities(self: Any) -> list[str]:
    """The task id as seen from the coroutine, a child task and a thread, before and after others ran."""
    seen = [self.request.id]
    await asyncio.sleep(0.05)

    async def child() -> str:
        await asyncio.sleep(0.05)
        return str(self.request.id)

    seen.append(await asyncio.create_task(child()))
    seen.append(await asyncio.to_thread(lambda: self.request.id))
    seen.append(current_task.request.id)
    return seen


@app.task(name="sample.factorial", bind=True)
async def factorial(self: Any, n: int) -> int:
    return 1 if n < 2 else n * await factorial(n - 1)


@app.task(name="sample.mirror", pydantic=True)
async def mirror(point: Point) -> Point:
    return Point(x=point.y, y=point.x)


@app.task(name="sample.mark")
async def mark(key: str, value: str, redis: RedisDep = INJECTED) -> None:
    await redis.rpush(key, value)


@app.task(name="sample.on_error")
async def on_error(request: Any, error: BaseException, traceback: object, redis: RedisDep = INJECTED) -> None:
    """An error callback with the parameters that Celery passes."""
    await redis.rpush(f"errors:{request.id}", f"{type(error).__name__} seen by {await add(20, 22)}")


@app.task(name="sample.on_error_id")
async def on_error_id(task_id: str, redis: RedisDep = INJECTED) -> None:
    """An error callback of the older kind, which is sent as a task of its own."""
    await redis.rpush(f"errors:{task_id}", "sent")


@app.task(name="sample.work")
async def work(key: str, value: str, redis: RedisDep = INJECTED) -> None:
    await redis.rpush(f"{key}:started", value)
    await asyncio.sleep(0.4)
    await redis.rpush(key, value)


@app.task(name="sample.announce")
async def announce(key: str, uow: UnitOfWorkDep = INJECTED, *, fails: bool) -> None:
    uow.enqueue("sample.mark", key=key, value="sent after commit")
    uow.emit("task.progress", TaskProgress(task_id=UUID(int=1), name="sample.announce", done=1), room=key)
    if fails:
        raise ValueError("nothing may leave")


@app.task(name="sample.long")
async def long(key: str, redis: RedisDep = INJECTED) -> None:
    """Run until it is stopped."""
    await redis.rpush(key, "started")
    await asyncio.sleep(60)


@app.task(name="sample.counting")
async def counting(steps: int) -> None:
    for step in range(steps + 1):
        await progress(step, steps, f"step {step}")


@app.task(name="sample.login")
async def login(username: str, password: str, options: dict[str, str] | None = None) -> str:
    return f"{username} {len(password)}"


@app.task(name="sample.deadly", max_redeliveries=2)
async def deadly(key: str, redis: RedisDep = INJECTED) -> None:
    """Kill the worker's process, every time."""
    await redis.rpush(key, os.getpid())
    os._exit(1)


_arrived: dict[str, asyncio.Event] = {}
_counts: dict[str, int] = {}
_barrier = threading.Barrier(4)


@app.task(name="sample.give_up")
async def give_up(*, ignored: bool) -> None:
    raise Ignore("enough") if ignored else Reject("enough", requeue=False)


@app.task(name="sample.hand_back", max_redeliveries=2)
async def hand_back(key: str, times: int, redis: RedisDep = INJECTED) -> None:
    if await redis.incr(key) <= times:
        raise Reject("later", requeue=True)


@app.task(name="sample.meet")
async def meet(group: str, number: int) -> int:
    """Return once this many tasks are running in this process."""
    everyone = _arrived.setdefault(group, asyncio.Event())
    _counts[group] = _counts.get(group, 0) + 1
    if _counts[group] == number:
        everyone.set()
    await everyone.wait()
    return _counts[group]


@app.task(name="sample.meet_in_threads")
def meet_in_threads() -> int:
    """Return once four tasks are running, on threads."""
    return _barrier.wait(20)


@app.task(name="sample.wait_for")
async def wait_for(key: str, redis: RedisDep = INJECTED) -> str:
    """Report the start, and return when the test says so."""
    await redis.rpush(f"{key}:started", "begun")
    reply = await redis.blpop([f"{key}:go"], 0.3)
    while reply is None:
        reply = await redis.blpop([f"{key}:go"], 0.3)
    return str(reply[1])


@app.task(name="sample.uninterruptible", bind=True, time_limit=1, track_started=True, max_retries=1)
def uninterruptible(self: Any, key: str, ending: str) -> str:
    """Keep its thread until the test says so, which takes longer than its limit; then return, fail or retry."""
    client = Redis.from_url(settings.REDIS_DATABASE_URL)
    client.rpush(f"{key}:started", ending)
    client.blpop([f"{key}:go"], 20)
    client.rpush(f"{key}:ended", ending)
    client.close()
    if ending == "fails":
        raise ValueError("too late")
    if ending == "retries":
        raise self.retry(countdown=0)
    return "too late"


@task_revoked.connect
def take_time(**_: Any) -> None:
    """Let time pass after a run was recorded as revoked: nothing that its task does meanwhile may count."""
    time.sleep(0.1)


@app.task(name="sample.note")
def note(key: str, value: str) -> None:
    """`mark` as a synchronous task."""
    with Redis.from_url(settings.REDIS_DATABASE_URL) as client:
        client.rpush(key, value)


@app.task(name="sample.block")
async def block(key: str, seconds: float, redis: RedisDep = INJECTED) -> None:
    """Block the loop, as a coroutine must not."""
    await redis.rpush(f"{key}:started", "blocking")
    time.sleep(seconds)  # noqa: ASYNC251 - on purpose


@app.task(name="sample.stubborn", soft_time_limit=1, time_limit=1)
async def stubborn(key: str, redis: RedisDep = INJECTED) -> None:
    """Ignore cancellation until the test sets the key."""
    while not await redis.exists(key):
        try:
            await asyncio.sleep(0.1)
        except asyncio.CancelledError:
            continue


@app.task(name="sample.note_once")
async def note_once(key: str, value: str, redis: RedisDep = INJECTED) -> None:
    await redis.sadd(key, value)


@app.task(name="sample.effect")
async def effect(key: str, value: str, redis: RedisDep = INJECTED) -> None:
    """An idempotent task: running it twice has the effect of running it once."""
    await redis.sadd(f"{key}:started", value)
    await asyncio.sleep(0.2)
    await redis.sadd(key, value)
