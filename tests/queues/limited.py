"""Tasks with `unique_by` and `rate_limit_key`, for the workers of `tests.queues.sample`."""

import asyncio
import time
from typing import Any

from src.deps.database import RedisDep
from src.queues.app import app
from src.queues.celery import Task

INJECTED: Any = None


@app.task(name="sample.exclusive", bind=True, unique_by=("tenant", "day"), time_limit=3)
async def exclusive(
    self: Task, key: str, tenant: str, *, day: int = 1, ending: str = "returns", redis: RedisDep = INJECTED
) -> int:
    """Report the start, then end when the test says so, or in the way that it asks for."""
    await redis.rpush(f"{key}:started", f"{tenant} {day} {ending}")
    if ending == "returns":
        while await redis.blpop([f"{key}:go"], 0.2) is None:
            continue
    if ending == "fails":
        raise ValueError("as planned")
    if ending == "retries" and not self.request.retries:
        raise self.retry(countdown=0)
    if ending in ("exceeds its limit", "is terminated"):
        await asyncio.sleep(60)
    return self.request.retries


@app.task(name="sample.alone", unique_by=())
async def alone(key: str, redis: RedisDep = INJECTED) -> None:
    """Report the start, and end when the test says so."""
    await redis.rpush(f"{key}:started", key)
    while await redis.blpop([f"{key}:go"], 0.2) is None:
        continue


@app.task(name="sample.paced", bind=True, rate_limit="2/s", rate_limit_key="tenant")
async def paced(self: Task, key: str, tenant: str, redis: RedisDep = INJECTED) -> int:
    """Report when it started."""
    await redis.rpush(f"{key}:{tenant}", time.time())
    return self.request.retries


@app.task(name="sample.paced_outage", bind=True, rate_limit="100/s", rate_limit_key="key")
async def paced_outage(self: Task, key: str, redis: RedisDep = INJECTED) -> bool:
    """Meet an unavailable store once; returns whether it had the turn that its sender gave it then."""
    if await redis.incr(f"{key}:runs") == 1:
        raise ConnectionRefusedError
    return self.request.headers is not None and self.request.headers["rate_limit_turn"] == 0


@app.task(name="sample.paced_retry", bind=True, rate_limit="2/s", rate_limit_key="tenant", max_retries=1)
def paced_retry(self: Task, tenant: str, started: list[float]) -> list[float]:
    """Retry once; returns when its attempts started."""
    started = [*started, time.time()]
    if not self.request.retries:
        raise self.retry((tenant, started), countdown=0)
    return started
