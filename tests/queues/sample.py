"""Tasks that the tests run on the product's own application, by `celery -A tests.queues.sample`."""

import asyncio
import os
from typing import Any
from uuid import UUID

from celery import current_task
from celery.exceptions import SoftTimeLimitExceeded
from pydantic import BaseModel
from sqlalchemy import text

from src.deps.database import RedisDep, SessionDep, UnitOfWorkDep
from src.queues.app import app
from src.queues.progress import progress
from src.schemas.task import TaskProgress

# What a killed worker leaves is given away at once instead of after the longest task.
app.conf.broker_transport_options = {
    **app.conf.broker_transport_options,
    "visibility_timeout": 4,
    "unacked_restore_interval": 1,
}
app.conf.misfire_grace_seconds = float(os.environ.get("SAMPLE_MISFIRE_GRACE_SECONDS", "60"))


# What `Depends` fills in; callers pass no value, which type checkers learn from a default.
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


@app.task(name="sample.backend_pid")
async def backend_pid(session: SessionDep = INJECTED) -> int:
    return int((await session.exec(text("SELECT pg_backend_pid()"))).scalar_one())  # type: ignore[call-overload]  # SQL text


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


@app.task(name="sample.again", bind=True, max_retries=3)
async def again(self: Any, failures: int) -> int:
    await asyncio.sleep(0)
    if self.request.retries < failures:
        raise self.retry(countdown=0)
    return int(self.request.retries)


@app.task(name="sample.overdue", soft_time_limit=1, time_limit=20)
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


@app.task(name="sample.identities", bind=True)
async def identities(self: Any) -> list[str]:
    """Who the task is, seen from its coroutine, a child task and a thread, before and after others ran."""
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
    """Run until somebody stops it."""
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
    """Take the process with it, every time."""
    await redis.rpush(key, os.getpid())
    os._exit(1)
