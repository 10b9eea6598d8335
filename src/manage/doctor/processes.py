import asyncio
from collections.abc import Sequence
from typing import Any

from celery import Celery
from sqlalchemy import Row, text
from sqlmodel import select

from src.core.preflight import reason_of
from src.core.resources import API_PROCESS
from src.core.stores.redis_client import RedisClient
from src.manage.doctor.check import Examination, Worker
from src.manage.doctor.finding import CheckError
from src.models.schedule import Schedule
from src.queues import load_app
from src.utils.redis_pool import blocking_client

REPLY_SECONDS = 1.5
LATE_SECONDS = 60
"""How long something may be overdue: outages of this length are retried."""
LISTED = 5
_BEAT = (
    "SELECT count(*) FILTER (WHERE enabled) AS enabled,"
    " extract(epoch FROM clock_timestamp() - max(last_run_at)) AS last,"
    " count(*) FILTER (WHERE enabled AND next_run_at < now() - make_interval(secs => :late)) AS late FROM schedules"
)
_OUTBOX = (
    "SELECT topic, count(*) AS waiting, extract(epoch FROM now() - min(create_time)) AS age"
    " FROM outbox GROUP BY topic ORDER BY topic"
)


async def check_broker(examination: Examination) -> str:
    """Reachable; asks for the workers, which later checks need."""
    app = load_app()

    def connect() -> None:
        with app.connection_for_write() as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=2)

    try:
        await asyncio.to_thread(connect)
    except Exception as error:
        raise CheckError(f"The broker cannot be used: {reason_of(error)}.", "Correct CELERY_BROKER_URL.") from error
    examination.workers = await find_workers(app)
    return f"{app.connection_for_write().transport.driver_type} responds."


async def check_results(examination: Examination) -> str:
    """The Redis of results and of the run history is reachable and writable."""

    def write() -> None:
        url = str(examination.resources.settings.CELERY_REDIS_URL)
        with blocking_client(url, socket_timeout=2, socket_connect_timeout=2) as client:
            client.set("health:write", "1", ex=60)

    try:
        await asyncio.to_thread(write)
    except Exception as error:
        raise CheckError(f"Results cannot be stored: {reason_of(error)}.", "Correct CELERY_REDIS_URL.") from error
    return "Writable."


async def find_workers(app: "Celery[Any]") -> dict[str, Worker]:
    """The workers that respond within 1.5 seconds."""
    inspect = app.control.inspect(timeout=REPLY_SECONDS)
    queues, stats = await asyncio.gather(asyncio.to_thread(inspect.active_queues), asyncio.to_thread(inspect.stats))
    workers = {}
    for name, found in (queues or {}).items():
        processes = (stats or {}).get(name, {}).get("pool", {}).get("processes")
        workers[name] = Worker(
            frozenset(queue["name"] for queue in found), len(processes) if isinstance(processes, list) else 1
        )
    return workers


async def find_api_processes(redis: RedisClient) -> set[str]:
    """The host and the process id of each API process that is connected to Redis."""
    names = {client["name"] for client in await redis.client_list()}
    return {name.removeprefix(API_PROCESS) for name in names if name.startswith(API_PROCESS)}


async def check_api(examination: Examination) -> str:
    """An API process is connected to Redis."""
    found = await find_api_processes(examination.resources.redis)
    if not found:
        raise CheckError("No API process is connected to Redis.", "Start it: uvicorn src.main:app.")
    return f"{', '.join(sorted(found))}."


async def check_workers(examination: Examination) -> str:
    """A worker responds."""
    if not examination.workers:
        raise CheckError("No worker responds.", "Start one: celery -A src.queues.app worker.")
    return f"{', '.join(sorted(examination.workers))}."


async def check_queues(examination: Examination) -> str:
    """Each queue that a task or a schedule uses is consumed by a worker."""
    app = load_app()
    app.loader.import_default_modules()
    queues = {getattr(task, "queue", None) or app.conf.task_default_queue for task in app.tasks.values()}
    async with examination.resources.engine.connect() as connection:
        query = "SELECT DISTINCT queue FROM schedules WHERE enabled AND queue IS NOT NULL"
        queues |= set((await connection.execute(text(query))).scalars())
    consumed = {queue for worker in examination.workers.values() for queue in worker.queues}
    if unread := sorted(queues - consumed):
        raise CheckError(f"No worker consumes {', '.join(unread)}.", "Start one with -Q and these queues.")
    return f"{', '.join(sorted(queues))} consumed."


async def check_beat(examination: Examination) -> str:
    """Schedules are sent in time."""
    (row,) = await _rows(examination, _BEAT, late=LATE_SECONDS)
    if row.last is None or row.late:
        late = "it has never sent a task" if row.last is None else f"{row.late} schedules are over a minute late"
        raise CheckError(f"Beat does not work: {late}.", "Start it: celery -A src.queues.app beat -S …; see its log.")
    return f"{row.enabled} schedules are enabled; the last task was sent {row.last:.0f} s ago."


async def check_schedules(examination: Examination) -> str:
    """Each enabled schedule has a task and a time, and beat has paused none."""
    app = load_app()
    app.loader.import_default_modules()
    async with examination.resources.sessions() as session:
        rows = (await session.exec(select(Schedule))).all()
    problems = [f"{row.name}: {reason}" for row in rows if (reason := _problem(row, app.tasks))]
    if problems:
        others = f" and {len(problems) - LISTED} more" if len(problems) > LISTED else ""
        raise CheckError("; ".join(problems[:LISTED]) + others + ".", "Correct or disable them.")
    return f"{len(rows)} are valid."


async def check_outbox(examination: Examination) -> str:
    """Messages leave the outbox within a minute."""
    rows = await _rows(examination, _OUTBOX)
    said = ", ".join(f"{row.topic}: {row.waiting}, the oldest {row.age:.0f} s old" for row in rows)
    if any(row.age > LATE_SECONDS for row in rows):
        raise CheckError(f"{said}.", "A worker and beat must run, and the broker and MongoDB respond.")
    return f"{said or 'Empty'}."


def _problem(schedule: Schedule, tasks: Any) -> str:
    if schedule.pause_reason and schedule.paused_by is None:
        return f"paused, {schedule.pause_reason.rstrip('.')}"
    if schedule.enabled and schedule.task not in tasks:
        return f"there is no task {schedule.task}"
    try:
        _ = schedule.upcoming
    except ValueError as error:
        return str(error)
    return ""


async def _rows(examination: Examination, query: str, **parameters: Any) -> Sequence[Row[Any]]:
    async with examination.resources.engine.connect() as connection:
        return (await connection.execute(text(query), parameters)).all()
