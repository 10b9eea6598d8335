"""The scheduler class that `celery beat -S src.queues.scheduler:AsyncDatabaseScheduler` creates and calls."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cached_property, partial
from typing import Any
from uuid import UUID

from celery import Celery
from celery.beat import Scheduler
from celery.exceptions import ImproperlyConfigured
from celery.utils.log import get_logger
from kombu.exceptions import OperationalError
from kombu.utils.imports import symbol_by_name
from pydantic import SecretStr
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlmodel.ext.asyncio.session import AsyncSession

from src.core.config.sql import SQLSettings
from src.core.stores.sql import create_engine
from src.models.schedule import Schedule
from src.queues.scheduler.config_sync import columns_by_name, merge
from src.queues.scheduler.listener import ScheduleListener
from src.queues.scheduler.planning import MISFIRE_GRACE
from src.queues.scheduler.sending import plan_new, send_due
from src.queues.scheduler.signals import signals_deferred
from src.queues.scheduler.statements import BATCH, NEXT_DUE
from src.utils.date import utc_now

logger = get_logger(__name__)

MAX_INTERVAL_SECONDS = 5
OUTAGE = "outage"
Guard = Callable[[AsyncSession, Sequence[Schedule], Mapping[str, Any]], Awaitable[Mapping[UUID, str]]]
"""Returns why schedules may not run, by their ids; gets the due schedules, and the application's tasks by name."""
# When to look again if another beat has locked the due rows: it has probably sent them by then.
CONTENDED_SECONDS = 0.1


class AsyncDatabaseScheduler(Scheduler):
    """Sends due schedules at least once, and sleeps until the next one is due.

    Any number of beats share the table: each locks due rows that no other has locked, publishes, and commits. If one
    dies in between, the others send its slots again, under the same task ids.

    PostgreSQL notifies beat of new and changed rows. On other databases, and in case a notification is lost, it polls
    every `refresh_interval` seconds, at most 5. Reads `app.conf.database_url`, `app.conf.refresh_interval`,
    `app.conf.misfire_grace_seconds` (default 60): how late a run may be before the misfire policy `skip` drops it, and
    `app.conf.schedule_guard`: the path of a function that is asked before schedules are sent; see `Guard`.

    Attributes:
        ticked_at: When it last looked for due rows, without an error.
    """

    max_interval = MAX_INTERVAL_SECONDS

    def __init__(self, app: "Celery[Any]", *args: Any, **kwargs: Any) -> None:
        if not app.conf.get("database_url"):
            raise ImproperlyConfigured("Set app.conf.database_url: the database scheduler reads its schedules there.")
        self._runner = asyncio.Runner()
        self._listener: ScheduleListener | None = None
        self._tick_task: asyncio.Task[None] | None = None
        self._is_merged = False
        self._is_closed = False
        self._failure: str | None = None
        # When the next row is due, as long as no row has changed since it was read.
        self._next_due: datetime | None = None
        self.ticked_at: datetime | None = None
        super().__init__(app, *args, **kwargs)
        refresh = app.conf.get("refresh_interval") or MAX_INTERVAL_SECONDS
        self.max_interval = min(self.max_interval, refresh, MAX_INTERVAL_SECONDS)
        grace = app.conf.get("misfire_grace_seconds")
        self._grace = MISFIRE_GRACE if grace is None else timedelta(seconds=grace)

    def setup_schedule(self) -> None:
        """Read the configuration; the first tick merges it into the table.

        Raises:
            ImproperlyConfigured: A row cannot hold an entry.
        """
        self.merge_inplace(self.app.conf.beat_schedule)
        self.install_default_entries(self.schedule)
        columns_by_name(self.schedule, str(self.app.timezone))

    def tick(self, *_args: Any, **_kwargs: Any) -> float:
        """Send what is due, then wait until the next row is due or a row changes.

        Returns:
            Seconds to wait before the next tick: 0, or `max_interval` while a store is unavailable.

        Raises:
            SystemExit: Beat was told to end, and the exception of the signal handler was lost: the interpreter ignores
                exceptions in callbacks of the garbage collector.
        """
        if self._is_closed:
            raise SystemExit
        try:
            self.producer  # noqa: B018 - connects to the broker, with Celery's retries, before any row is locked
            with signals_deferred(self._interrupt):
                self._runner.run(self._tick_interruptibly())
        except Exception as error:
            # Beat outlives its stores, and logs an outage once, whatever errors it has.
            is_outage = isinstance(error, (OperationalError, SQLAlchemyError, OSError))
            if self._failure != (failure := OUTAGE if is_outage else f"{type(error).__name__}: {error}"):
                text, reason = "beat: cannot schedule, waiting for %s: %s", _first_line(error)
                logger.error(text, self._store_of(error), reason, exc_info=not is_outage)
            self._failure = failure
            return self.max_interval
        return 0

    def close(self) -> None:
        """Close the connections; Celery calls it from its signal handler, and again afterwards."""
        if self._is_closed:
            return
        self._is_closed = True
        super().close()
        self._runner.run(self._disconnect())
        self._runner.close()

    @property
    def info(self) -> str:
        """A line of beat's start-up banner."""
        return f"    . db -> {self._engine.url.render_as_string()}"

    @cached_property
    def _guard(self) -> Guard | None:
        guard: Guard | None = symbol_by_name(self.app.conf.get("schedule_guard"))
        return guard

    @cached_property
    def _engine(self) -> AsyncEngine:
        url = SecretStr(self.app.conf.database_url)
        return create_engine(SQLSettings(SQL_DATABASE_URL=url, SQL_POOL_SIZE=1, SQL_MAX_OVERFLOW=0))

    def _ensure_connected(self) -> Any:
        """Wait for the broker, and say so; Celery's own message does not name it."""

        def report(error: Exception, _seconds: float) -> None:
            if self._failure != OUTAGE:
                logger.error("beat: Connection error, waiting for %s: %s", self.connection.as_uri(), _first_line(error))
            self._failure = OUTAGE

        retries = self.app.conf.broker_connection_max_retries
        return self.connection.ensure_connection(report, retries, interval_max=self.max_interval)

    def _store_of(self, error: Exception) -> str:
        return (
            str(self.connection.as_uri())
            if isinstance(error, OperationalError)
            else self._engine.url.render_as_string()
        )

    async def _disconnect(self) -> None:
        if self._listener is not None:
            await self._listener.close()
        await self._engine.dispose()

    def _interrupt(self) -> None:
        if self._tick_task is not None:
            self._runner.get_loop().call_soon_threadsafe(self._tick_task.cancel)

    async def _tick_interruptibly(self) -> None:
        self._tick_task = asyncio.current_task()
        try:
            await self._tick_and_wait()
        finally:
            self._tick_task = None

    async def _tick_and_wait(self) -> None:
        seconds = await self._tick()
        if self._failure:
            logger.warning("beat: scheduling again")
        self._failure, self.ticked_at = None, utc_now()
        delay = min(seconds, self.max_interval)
        logger.debug("beat: Waking up in %.2f seconds.", delay)
        assert self._listener is not None  # noqa: S101 - `_tick` has opened it
        if await self._listener.wait(delay) or delay < seconds:
            self._next_due = None

    async def _tick(self) -> float:
        """Plan and send; returns the seconds until the next row is due."""
        connection = await self._connect()
        async with AsyncSession(connection, expire_on_commit=False) as session:
            if not self._is_merged:
                await merge(session, self.schedule, str(self.app.timezone))
                await session.commit()
                self._is_merged = True
            now = utc_now()
            next_due, self._next_due = self._next_due, None
            has_unplanned = False
            if next_due is None:
                has_unplanned, next_due = (await session.exec(NEXT_DUE)).one()
            planned = await plan_new(session, now) if has_unplanned else 0
            taken = await self._send_due(session, now) if planned or (next_due and next_due <= now) else 0
            if planned or taken:
                await session.flush()
                has_unplanned, next_due = (await session.exec(NEXT_DUE)).one()
            await session.commit()
        if BATCH in (planned, taken):
            return 0
        if next_due is None:
            return self.max_interval
        if next_due <= now and not taken:
            return CONTENDED_SECONDS
        self._next_due = None if has_unplanned else next_due
        return max((next_due - utc_now()).total_seconds(), 0)

    async def _connect(self) -> AsyncConnection:
        """The connection for listening and for statements; a new one after a failure."""
        if self._listener is not None and (self._failure or self._listener.is_lost):
            broken, self._listener = self._listener, None
            await broken.close()
        # Listen before rows are read, so that no change in between is missed.
        self._listener = self._listener or await ScheduleListener.open(self._engine)
        return self._listener.connection

    async def _send_due(self, session: AsyncSession, now: datetime) -> int:
        send = partial(self.send_task, producer=self.producer)
        return await send_due(session, now, send=send, find_refusals=self._find_refusals, grace=self._grace)

    async def _find_refusals(self, session: AsyncSession, schedules: Sequence[Schedule]) -> Mapping[UUID, str]:
        return await self._guard(session, schedules, self.app.tasks) if self._guard else {}


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".partition("\n")[0]
