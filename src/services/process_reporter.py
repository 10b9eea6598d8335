"""Reports this process, and announces the overview to those who watch."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import structlog
from prometheus_client import REGISTRY

from src.core.ops.figures import Figures, read_figures, subtract
from src.core.ops.process_metrics import pools_of
from src.core.ops.report import ProcessReport, minute_of
from src.core.outages import report_outage
from src.core.realtime.presence import is_anyone_in
from src.core.realtime.rooms import OPS_ROOM
from src.core.resources import Resources
from src.core.stores.errors import as_unavailable, summary
from src.core.unit_of_work import ReadUnitOfWork
from src.crud.process_report import ProcessReportCRUD
from src.services.ops import OpsService
from src.utils.date import utc_now

log = structlog.get_logger(__name__)

LAST_REPORT_SECONDS = 1
"""How long a process that ends waits for its last report."""


class ProcessReporter:
    """Reports an API process every few seconds, with what it has counted in the current minute."""

    def __init__(self, resources: Resources) -> None:
        self.resources = resources
        self.reports = ProcessReportCRUD(resources.redis)
        self.interval = resources.settings.app.ops_report_seconds
        self._started_at = utc_now()
        # Not by the pid: containers that share the host's network have one host name, and the same pids.
        self._name = f"api@{socket.gethostname()}:{resources.events.process}"
        self._minute = minute_of(self._started_at)
        # What had been counted when the minute began, and at the last report.
        self._before = self._last = read_figures()

    async def report(self) -> None:
        """Write the report, and the figures of this minute; what came after the last report of a minute is in the next.

        Raises:
            RedisError: Redis failed or timed out.
        """
        now, figures = utc_now(), read_figures()
        if minute_of(now) != self._minute:
            self._minute, self._before = minute_of(now), self._last
            await self.reports.remove_old(now)
        self._last = figures
        await self.reports.write(self._describe(), self._minute, self._since(figures))

    async def announce(self) -> None:
        """Emit the overview to those who watch, if there are any and no other process has just done it."""
        if not await is_anyone_in(self.resources.redis, OPS_ROOM):
            return
        if not await self.reports.begin_announcement(self.interval * 0.9):
            return
        async with self.resources.read_sessions() as session:
            uow = ReadUnitOfWork(session, self.resources.tasks, self.resources.events)
            overview = await OpsService(uow, self.resources).overview()
        await self.resources.events.emit("ops.overview", overview, room=OPS_ROOM)

    async def run(self, ending: asyncio.Event) -> None:
        """Report and announce, until `ending` is set."""
        while not await _is_set_within(self.interval, ending):
            try:
                await self.report()
                await self.announce()
            except Exception as error:
                unavailable = as_unavailable(error)
                if unavailable is None:
                    log.exception("report_failed")
                else:
                    report_outage(unavailable.store, summary(error))

    async def end(self) -> None:
        """Remove this process from the list, if Redis is available."""
        with suppress(Exception):
            await self.reports.remove([self._name])

    def _since(self, figures: dict[str, Figures]) -> dict[str, Figures]:
        return subtract(figures, self._before)

    def _describe(self) -> ProcessReport:
        return ProcessReport(
            kind="api",
            name=self._name,
            started_at=self._started_at,
            clients=int(REGISTRY.get_sample_value("socketio_clients") or 0),
            pools=pools_of(self.resources),
        )


@asynccontextmanager
async def reporting(resources: Resources) -> AsyncIterator[None]:
    """During the block, report this process every `OPS_REPORT_SECONDS`; not at all if that is 0."""
    reporter = ProcessReporter(resources)
    if not reporter.interval:
        yield
        return
    ending = asyncio.Event()
    task = asyncio.create_task(reporter.run(ending))
    try:
        yield
    finally:
        ending.set()
        # Cancelled only if it takes long: Redis may store a cancelled report after the process has been removed.
        await asyncio.wait([task], timeout=LAST_REPORT_SECONDS)
        task.cancel()
        await reporter.end()


async def _is_set_within(seconds: float, event: asyncio.Event) -> bool:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
    return event.is_set()
