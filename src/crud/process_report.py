from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

from pydantic import ValidationError

from src.core.ops.figures import FIGURES, Figures
from src.core.ops.report import KEPT, MINUTES, PROCESSES, RUNS, ProcessReport, minute_key, minute_of, report_commands
from src.core.stores.redis_client import RedisClient
from src.utils.date import utc_now

T = TypeVar("T")


class MinuteRecord(NamedTuple):
    """A minute: what each process has counted, by kind, and how many runs ended, by state."""

    minute: int
    figures: Sequence[Mapping[str, Figures]]
    runs: Mapping[str, int]


class ProcessReportCRUD:
    """Reports of processes, and what happened in the last hour."""

    def __init__(self, redis: RedisClient) -> None:
        self.redis = redis

    async def write(self, report: ProcessReport, minute: int, figures: dict[str, Figures]) -> None:
        """Store a report, and what its process has counted in a minute."""
        pipeline: Any = self.redis.pipeline(transaction=False)
        for command in report_commands(report, minute, figures):
            pipeline.execute_command(*command)
        await pipeline.execute()

    async def count_runs(self, states: Mapping[str, int]) -> None:
        """Count runs that have ended, by state, in this minute."""
        if not states:
            return
        key = minute_key(minute_of(utc_now()))
        pipeline: Any = self.redis.pipeline(transaction=False)
        for state, count in states.items():
            pipeline.hincrby(key, f"{RUNS}{state}", count)
        pipeline.expire(key, KEPT)
        await pipeline.execute()

    async def read(self, now: datetime) -> tuple[list[ProcessReport], list[MinuteRecord]]:
        """The processes by name, and the minutes of the last hour, oldest first: one round trip."""
        minutes = range(minute_of(now) - MINUTES + 1, minute_of(now) + 1)
        pipeline: Any = self.redis.pipeline(transaction=False)
        pipeline.hgetall(PROCESSES)
        for minute in minutes:
            pipeline.hgetall(minute_key(minute))
        processes, *hashes = await pipeline.execute()
        reports = _readable((value for _, value in sorted(processes.items())), ProcessReport.model_validate_json)
        return reports, [_record(minute, fields) for minute, fields in zip(minutes, hashes, strict=True)]

    async def remove(self, names: list[str]) -> None:
        """Remove processes."""
        await self.redis.hdel(PROCESSES, *names)

    async def remove_old(self, now: datetime) -> None:
        """Remove processes that have not reported for an hour."""
        reports = _readable((await self.redis.hgetall(PROCESSES)).values(), ProcessReport.model_validate_json)
        if old := [report.name for report in reports if now - report.seen_at > KEPT]:
            await self.remove(old)

    async def begin_announcement(self, seconds: float) -> bool:
        """Whether no process has announced an overview within so many seconds; the caller is about to."""
        return bool(await self.redis.set("ops:announced", 1, nx=True, px=int(seconds * 1000)))


def _record(minute: int, fields: Mapping[str, Any]) -> MinuteRecord:
    runs = {name.removeprefix(RUNS): int(value) for name, value in fields.items() if name.startswith(RUNS)}
    values = (value for name, value in fields.items() if not name.startswith(RUNS))
    return MinuteRecord(minute, _readable(values, FIGURES.validate_json), runs)


def _readable(values: Iterable[Any], read: Callable[[Any], T]) -> list[T]:
    """The values that this version can read: during a deployment, processes of two versions report."""
    found = []
    for value in values:
        with suppress(ValidationError):
            found.append(read(value))
    return found
