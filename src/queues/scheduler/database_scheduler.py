"""Celery beat on the schedules table, whose index on `next_run_at` is the heap: nothing is loaded or reloaded."""

import asyncio
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from celery import Celery
from celery.beat import Scheduler
from celery.exceptions import ImproperlyConfigured
from celery.utils.log import get_logger
from kombu.exceptions import OperationalError
from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlmodel.ext.asyncio.session import AsyncSession

from src.core.config.sql import SQLSettings
from src.core.stores.sql import create_engine
from src.models.schedule import Schedule
from src.queues.scheduler.config_sync import merge
from src.queues.scheduler.due import MISFIRE_GRACE, advance, message, plan
from src.queues.scheduler.listener import Changes
from src.queues.scheduler.overlap import has_running, note_run
from src.queues.scheduler.signals import signals_held
from src.queues.scheduler.statements import BATCH, DUE_SCHEDULES, NEXT_DUE, UNPLANNED_SCHEDULES
from src.utils.date import utc_now

logger = get_logger(__name__)

MAX_INTERVAL_SECONDS = 5
# Due rows that another beat holds are its own: look again when it is likely to be done.
CONTENDED_SECONDS = 0.1


class AsyncDatabaseScheduler(Scheduler):
    """Sends what is due, at least once, and sleeps until something is.

    Any number of beats share the table: each takes the due rows that no other holds, publishes, and commits. One that
    dies in between leaves its rows to the others, who may send the same slots again under the same task ids.

    PostgreSQL tells it of new and changed rows; should it not hear, or on other databases, it looks for them every
    `refresh_interval` seconds, five at most. Reads `app.conf.database_url`, and `app.conf.misfire_grace_seconds`: how
    late a run may be before the misfire policy `skip` drops it, 60 unless set.
    """

    max_interval = MAX_INTERVAL_SECONDS

    def __init__(self, app: "Celery[Any]", *args: Any, **kwargs: Any) -> None:
        if not app.conf.get("database_url"):
            raise ImproperlyConfigured("The database scheduler reads app.conf.database_url, which is not set.")
        self._runner = asyncio.Runner()
        self._changes: Changes | None = None
        self._turning: asyncio.Task[None] | None = None
        self._merged = False
        self._closed = False
        self._failure: str | None = None
        # What the table said is next, while nothing else was heard since.
        self._first: datetime | None = None
        super().__init__(app, *args, **kwargs)
        refresh = app.conf.get("refresh_interval") or MAX_INTERVAL_SECONDS
        self.max_interval = min(self.max_interval, refresh, MAX_INTERVAL_SECONDS)
        grace = app.conf.get("misfire_grace_seconds")
        self._grace = MISFIRE_GRACE if grace is None else timedelta(seconds=grace)

    def setup_schedule(self) -> None:
        """Read the configuration; the first tick merges it into the table."""
        self.merge_inplace(self.app.conf.beat_schedule)
        self.install_default_entries(self.schedule)

    def tick(self, *_args: Any, **_kwargs: Any) -> float:
        """Send what is due, and wait until something else is, or rows change.

        Returns:
            Seconds to wait before the next tick: none, but where the stores are away.
        """
        try:
            self.producer  # noqa: B018 - connects, with Celery's patience, before any row is locked
            with signals_held(self._interrupt):
                self._runner.run(self._turn())
        except Exception as error:
            # Beat outlives its stores; what happens again and again is said once.
            if self._failure != (failure := f"{type(error).__name__}: {error}"):
                logger.exception("beat: cannot schedule, trying again")
            self._failure = failure
            return self.max_interval
        return 0

    def close(self) -> None:
        """Release the broker and the database; Celery asks for it from the signal's handler, and once more after it."""
        if self._closed:
            return
        self._closed = True
        super().close()
        self._runner.run(self._disconnect())
        self._runner.close()

    @property
    def info(self) -> str:
        """The line that beat's banner shows."""
        return f"    . db -> {self._engine.url.render_as_string()}"

    @cached_property
    def _engine(self) -> AsyncEngine:
        url = SecretStr(self.app.conf.database_url)
        return create_engine(SQLSettings(SQL_DATABASE_URL=url, SQL_POOL_SIZE=1, SQL_MAX_OVERFLOW=0))

    async def _disconnect(self) -> None:
        if self._changes is not None:
            await self._changes.close()
        await self._engine.dispose()

    def _interrupt(self) -> None:
        if self._turning is not None:
            self._runner.get_loop().call_soon_threadsafe(self._turning.cancel)

    async def _turn(self) -> None:
        self._turning = asyncio.current_task()
        try:
            await self._tick_and_wait()
        finally:
            self._turning = None

    async def _tick_and_wait(self) -> None:
        seconds = await self._tick()
        if self._failure:
            logger.info("beat: scheduling again")
        self._failure = None
        delay = min(seconds, self.max_interval)
        logger.debug("beat: Waking up in %.2f seconds.", delay)
        assert self._changes is not None  # noqa: S101 - every tick opens it
        if await self._changes.wait(delay) or delay < seconds:
            self._first = None

    async def _tick(self) -> float:
        connection = await self._connect()
        async with AsyncSession(connection, expire_on_commit=False) as session:
            if not self._merged:
                await merge(session, self.schedule, str(self.app.timezone))
                await session.commit()
                self._merged = True
            now = utc_now()
            first, self._first = self._first, None
            is_unplanned = False
            if first is None:
                is_unplanned, first = (await session.exec(NEXT_DUE)).one()
            planned = await self._plan(session, now) if is_unplanned else 0
            taken = await self._send_due(session, now) if planned or (first and first <= now) else 0
            if planned or taken:
                await session.flush()
                is_unplanned, first = (await session.exec(NEXT_DUE)).one()
            await session.commit()
        if BATCH in (planned, taken):
            return 0
        if first is None:
            return self.max_interval
        if first <= now and not taken:
            return CONTENDED_SECONDS
        self._first = None if is_unplanned else first
        return max((first - utc_now()).total_seconds(), 0)

    async def _connect(self) -> AsyncConnection:
        """The connection that hears of changes and that beat works on; a new one after any failure."""
        if self._changes is not None and (self._failure or self._changes.is_lost):
            useless, self._changes = self._changes, None
            await useless.close()
        # Before the rows are read: what changes afterwards is heard of.
        self._changes = self._changes or await Changes.listen(self._engine)
        return self._changes.connection

    async def _plan(self, session: AsyncSession, now: datetime) -> int:
        schedules = (await session.exec(UNPLANNED_SCHEDULES)).all()
        for schedule in schedules:
            try:
                plan(schedule, now)
            except Exception as error:
                _disable(schedule, error)
        return len(schedules)

    async def _send_due(self, session: AsyncSession, now: datetime) -> int:
        schedules = (await session.exec(DUE_SCHEDULES, params={"now": now})).all()
        going = await has_running(session, schedules)
        for schedule in schedules:
            try:
                slots = advance(schedule, now, is_going=schedule.id in going, grace=self._grace)
                messages = [message(schedule, slot) for slot in slots]
            except Exception as error:
                _disable(schedule, error)
                continue
            for options in messages:
                try:
                    self.send_task(**options, producer=self.producer)
                except OperationalError:
                    raise
                except Exception as error:
                    _disable(schedule, error)
                    break
                await note_run(session, schedule, options)
                logger.debug("beat: sent %s for %s", schedule.task, schedule.name)
        return len(schedules)


def _disable(schedule: Schedule, error: Exception) -> None:
    """One row without sense must not hold up the others."""
    logger.error("beat: schedule %r is switched off: %s", schedule.name, error)
    schedule.enabled = False
