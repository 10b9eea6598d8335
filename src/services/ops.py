from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from src.core.exceptions import ServiceUnavailableError
from src.core.health import REQUIRED, StoreHealth, check_stores
from src.core.ops.figures import CLIENT_ERRORS, COUNT, ERRORS, Figures, add, merged, percentile_ms
from src.core.ops.report import ProcessReport
from src.core.resources import Resources
from src.core.tasks.queues import QueueCounts
from src.core.unit_of_work import UnitOfWork
from src.crud.outbox import OutboxCRUD
from src.crud.process_report import MinuteRecord, ProcessReportCRUD
from src.crud.schedule import ScheduleCRUD
from src.crud.task_run import TaskRunCRUD
from src.models.task_run import RunState
from src.schemas.ops import (
    ApiState,
    MessageCounts,
    OpsHistory,
    OutboxTopic,
    Pool,
    ProcessState,
    QueueLoad,
    RunCounts,
    ScheduleCounts,
    StoreState,
    WorkerState,
)
from src.schemas.traffic import Events, Minute, Requests
from src.utils.date import utc_now

ALIVE_SECONDS, ALIVE_REPORTS = 20, 4
"""How old the last sign of life of a process may be: so many seconds, or reports if those are rarer."""
NO_QUEUES = QueueCounts({}, 0, 0, 0)
StateT = TypeVar("StateT", bound=ProcessState)


class OpsService:
    """The overview of all processes, queues and stores.

    It needs PostgreSQL and Redis. While the broker is unavailable, queues are empty.
    """

    def __init__(self, uow: UnitOfWork, resources: Resources) -> None:
        self.resources = resources
        self.reports = ProcessReportCRUD(resources.redis)
        self.runs = TaskRunCRUD(uow.session)
        self.schedules = ScheduleCRUD(uow.session)
        self.outbox = OutboxCRUD(uow.session)

    async def overview(self) -> OpsHistory:
        """What is going on, and what happened in the last hour."""
        now = utc_now()
        since = now - timedelta(
            seconds=max(ALIVE_SECONDS, ALIVE_REPORTS * self.resources.settings.app.ops_report_seconds)
        )
        reports, minutes = await self.reports.read(now)
        unfinished = await self.runs.unfinished()
        workers = [report for report in reports if report.kind == "worker" and report.seen_at > since]
        stores = await self.resources.single_flight.do("readyz", lambda: check_stores(self.resources))
        queues, broker = await self._queues({queue for worker in workers for queue in worker.queues})
        return OpsHistory(
            at=now,
            requests=_requests(minutes),
            events=_events(minutes),
            runs=_runs(unfinished, minutes),
            queues=_queue_loads(queues, workers),
            messages=MessageCounts(
                delayed=queues.delayed, dead_letters=queues.dead_letters, malformed=queues.malformed
            ),
            workers=_workers(reports, unfinished, since),
            beats=[_state(ProcessState, report, since) for report in reports if report.kind == "beat"],
            apis=[_state(ApiState, report, since) for report in reports if report.kind == "api"],
            pools=[
                Pool(process=report.name, name=pool.name, size=pool.size, in_use=pool.in_use)
                for report in reports
                for pool in report.pools
                if report.seen_at > since
            ],
            schedules=ScheduleCounts.model_validate(await self.schedules.count_by_state(now)),
            outbox=[OutboxTopic.model_validate(topic) for topic in await self.outbox.waiting()],
            stores=[_store(name, health) for name, health in {**stores, "broker": broker}.items()],
            history=[_minute(minute) for minute in minutes],
        )

    async def _queues(self, consumed: set[str]) -> tuple[QueueCounts, StoreHealth]:
        names = consumed | set(await self.schedules.queues())
        started = utc_now()
        try:
            counts, reason = await self.resources.tasks.publisher.queues.count(names), ""
        except ServiceUnavailableError as error:
            counts, reason = NO_QUEUES, error.message
        return counts, StoreHealth(round((utc_now() - started).total_seconds() * 1000, 1), reason)


def _state(schema: type[StateT], report: ProcessReport, since: datetime, **further: object) -> StateT:
    return schema.model_validate({**report.model_dump(), "alive": report.seen_at > since, **further})


def _workers(
    reports: Sequence[ProcessReport], unfinished: Sequence[tuple[RunState, str | None, int]], since: datetime
) -> list[WorkerState]:
    running: Counter[str] = Counter()
    for state, worker, count in unfinished:
        if state == RunState.STARTED and worker:
            running[worker] += count
    known = {report.name: report for report in reports if report.kind == "worker"}
    states = [
        _state(WorkerState, report, since, running=running[name], reserved=sum(report.reserved.values()))
        for name, report in known.items()
    ]
    # Workers that never reported, or not for an hour, and have not finished what they started: they were killed.
    lost = [
        WorkerState(
            name=name,
            host=name.partition("@")[2],
            pid=0,
            started_at=None,
            seen_at=None,
            alive=False,
            running=count,
            reserved=0,
            queues=[],
        )
        for name, count in running.items()
        if name not in known
    ]
    return sorted([*states, *lost], key=lambda worker: worker.name)


def _queue_loads(counts: QueueCounts, workers: Iterable[ProcessReport]) -> list[QueueLoad]:
    reserved: Counter[str] = Counter()
    for worker in workers:
        reserved.update(worker.reserved)
    waiting = Counter(counts.waiting)
    return [
        QueueLoad(name=name, waiting=waiting[name], reserved=reserved[name]) for name in sorted({*waiting, *reserved})
    ]


def _runs(unfinished: Sequence[tuple[RunState, str | None, int]], minutes: Sequence[MinuteRecord]) -> RunCounts:
    counts = Counter(dict.fromkeys((state.lower() for state in RunState), 0))
    for state, _, count in unfinished:
        counts[state.lower()] += count
    for minute in minutes:
        counts.update({state.lower(): count for state, count in minute.runs.items()})
    return RunCounts.model_validate(counts)


def _figures(minutes: Iterable[MinuteRecord], kind: str) -> Figures:
    return add(figures[kind] for minute in minutes for figures in minute.figures if kind in figures)


def _traffic(values: list[int], bounds: list[float]) -> dict[str, float | None]:
    shares = {f"p{share}_ms": percentile_ms(values, bounds, share / 100) for share in (50, 95, 99)}
    return {"count": values[COUNT], "errors": values[ERRORS], "client_errors": values[CLIENT_ERRORS], **shares}


def _most_frequent(figures: Figures) -> list[tuple[str, list[int]]]:
    return sorted(figures.series.items(), key=lambda item: (-item[1][COUNT], item[0]))


def _requests(minutes: Iterable[MinuteRecord]) -> Requests:
    figures = _figures(minutes, "requests")
    routes = [{"route": name, **_traffic(values, figures.bounds)} for name, values in _most_frequent(figures)]
    return Requests.model_validate({**_traffic(merged(figures), figures.bounds), "routes": routes})


def _events(minutes: Iterable[MinuteRecord]) -> Events:
    figures = _figures(minutes, "events")
    events = [{"event": name, **_traffic(values, figures.bounds)} for name, values in _most_frequent(figures)]
    return Events.model_validate({**_traffic(merged(figures), figures.bounds), "events": events})


def _minute(record: MinuteRecord) -> Minute:
    requests, events = _figures([record], "requests"), merged(_figures([record], "events"))
    values = merged(requests)
    return Minute(
        at=datetime.fromtimestamp(record.minute * 60, UTC),
        requests=values[COUNT],
        errors=values[ERRORS],
        p95_ms=percentile_ms(values, requests.bounds, 0.95),
        events=events[COUNT],
        event_errors=events[ERRORS],
        success=record.runs.get(RunState.SUCCESS, 0),
        failure=record.runs.get(RunState.FAILURE, 0),
        revoked=record.runs.get(RunState.REVOKED, 0),
    )


def _store(name: str, health: StoreHealth) -> StoreState:
    return StoreState(
        name=name,
        required=name in REQUIRED,
        available=not health.reason,
        latency_ms=health.milliseconds,
        reason=health.reason,
    )
