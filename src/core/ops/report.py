"""Reports of processes in Redis.

`ops:processes` is a hash of reports by process. `ops:minute:<minutes since 1970>` is a hash of what each process has
counted in a minute, and of the runs that ended (`runs:<state>`); it expires after an hour.
"""

import os
import socket
from datetime import datetime, timedelta
from typing import Any, Literal

from pydantic import BaseModel, Field

from src.core.ops.figures import FIGURES, Figures
from src.utils.date import utc_now

PROCESSES = "ops:processes"
MINUTES = 60
KEPT = timedelta(hours=1)
"""How long a process that ended without saying so is listed."""
RUNS = "runs:"


class PoolUse(BaseModel):
    """A pool of connections."""

    name: str
    size: int
    in_use: int


class ProcessReport(BaseModel):
    """A process.

    Attributes:
        seen_at: Its last sign of life.
        clients: Open Socket.IO connections, of an API process.
        queues: The queues that a worker consumes.
        reserved: How many messages a worker has fetched and not acknowledged, by queue.
    """

    kind: Literal["api", "worker", "beat"]
    name: str
    host: str = Field(default_factory=socket.gethostname)
    pid: int = Field(default_factory=os.getpid)
    started_at: datetime = Field(default_factory=utc_now)
    seen_at: datetime = Field(default_factory=utc_now)
    clients: int = 0
    queues: list[str] = []
    reserved: dict[str, int] = {}
    pools: list[PoolUse] = []


def minute_of(time: datetime) -> int:
    """The minute of a time, counted since 1970."""
    return int(time.timestamp()) // 60


def minute_key(minute: int) -> str:
    """The Redis key of a minute."""
    return f"ops:minute:{minute}"


def report_commands(report: ProcessReport, minute: int, figures: dict[str, Figures] | None = None) -> list[Any]:
    """The Redis commands that store a report, and what the process has counted in a minute."""
    commands: list[Any] = [("HSET", PROCESSES, report.name, report.model_dump_json())]
    if figures:
        value = FIGURES.dump_json(figures)
        key = minute_key(minute)
        commands += [("HSET", key, report.name, value), ("EXPIRE", key, int(KEPT.total_seconds()) + 60)]
    return commands
