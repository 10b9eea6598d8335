"""Schedules whose tasks go to a queue without workers."""

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

from redis import Redis
from sqlmodel import delete
from sqlmodel.ext.asyncio.session import AsyncSession

from src.core.config import settings
from src.core.stores.sql import create_engine
from src.models.schedule import IntervalPeriod, Schedule, ScheduleKind, ScheduleOrigin


@asynccontextmanager
async def empty_table() -> AsyncIterator[AsyncSession]:
    """A session that commits, on a table `schedules` that is empty before and after."""
    engine = create_engine(settings.sql)
    async with AsyncSession(engine, expire_on_commit=False) as session:
        await session.exec(delete(Schedule))
        await session.commit()
        yield session
        await session.rollback()
        await session.exec(delete(Schedule))
        await session.commit()
    await engine.dispose()


class Queue:
    """A queue, and the messages that beat sent to it, newest first."""

    def __init__(self) -> None:
        self.name = f"test:{uuid4()}"
        self._redis = Redis.from_url(str(settings.CELERY_REDIS_URL), decode_responses=True)

    def headers(self) -> list[dict[str, Any]]:
        return [json.loads(message)["headers"] for message in self._redis.lrange(self.name, 0, -1)]

    def arguments(self) -> list[Any]:
        messages = [json.loads(message)["body"] for message in self._redis.lrange(self.name, 0, -1)]
        return [json.loads(base64.b64decode(body))[:2] for body in messages]

    def __len__(self) -> int:
        return int(self._redis.llen(self.name))

    def every_second(self, **columns: Any) -> Schedule:
        """A schedule that sends to this queue."""
        columns = {"name": str(uuid4()), "kind": ScheduleKind.INTERVAL, "every": 1, **columns}
        return Schedule(
            task="sample.add", args=[1], kwargs={"y": 2}, queue=self.name, period=IntervalPeriod.SECONDS, **columns
        )


def hourly_from_configuration(task: str) -> Schedule:
    """A schedule as `beat_schedule` defines it."""
    timing: dict[str, Any] = {"kind": ScheduleKind.INTERVAL, "every": 1, "period": IntervalPeriod.HOURS}
    return Schedule(name=str(uuid4()), task=task, origin=ScheduleOrigin.CONFIG, **timing)


async def store(session: AsyncSession, *schedules: Schedule) -> None:
    session.add_all(schedules)
    await session.commit()
