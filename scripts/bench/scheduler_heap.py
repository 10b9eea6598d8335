"""A common way to write such schedulers: all rows are in memory, and each is read by a query of its own."""

import asyncio
import os
import sys
from datetime import timedelta
from typing import Any

import asyncpg
from celery import Celery
from celery.beat import ScheduleEntry, Scheduler
from celery.schedules import schedule

from scripts.bench.scheduler_costs import report

FILL = """
INSERT INTO heap_schedules
SELECT n, 'bench ' || n, 'bench.task', 3600, now() FROM generate_series(1, $1::int) AS n
"""


class HeapScheduler(Scheduler):
    """Celery's own scheduler, with entries from a table."""

    def __init__(self, app: "Celery[Any]", *args: Any, **kwargs: Any) -> None:
        self.runner = asyncio.Runner()
        self.database = self.runner.run(asyncpg.connect(os.environ["BENCH_DATABASE"]))
        self.changed = True
        super().__init__(app, *args, **kwargs)

    def setup_schedule(self) -> None:
        """Do nothing: the first tick reads the table."""

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Read all rows again after a change, then tick as Celery does."""
        if self.changed:
            self.data = self.runner.run(self.read())
            self._heap = None
            self.changed = False
        return float(super().tick(*args, **kwargs))

    async def read(self) -> dict[str, ScheduleEntry]:
        """All entries, one query each."""
        entries = {}
        for (key,) in await self.database.fetch("SELECT id FROM heap_schedules"):
            row = await self.database.fetchrow("SELECT * FROM heap_schedules WHERE id = $1", key)
            entries[row["name"]] = ScheduleEntry(
                name=row["name"],
                task=row["task"],
                last_run_at=row["last_run_at"],
                schedule=schedule(timedelta(seconds=row["seconds"])),
                args=(1,),
                options={"queue": "bench"},
                app=self.app,
            )
        return entries


def main(count: int) -> None:
    """Fill the table and measure."""
    app = Celery("bench", broker=os.environ["BENCH_BROKER"])
    schedulers: list[HeapScheduler] = []

    def execute(statement: str, *arguments: Any) -> None:
        async def run() -> None:
            connection = await asyncpg.connect(os.environ["BENCH_DATABASE"])
            await connection.execute(statement, *arguments)
            await connection.close()

        asyncio.run(run())
        for scheduler in schedulers:
            scheduler.changed = True

    execute("DROP TABLE IF EXISTS heap_schedules")
    execute(
        "CREATE TABLE heap_schedules (id int PRIMARY KEY, name text, task text, seconds int, last_run_at timestamptz)"
    )
    execute(FILL, count)

    def tick() -> None:
        delay = 0.0
        while delay == 0:  # Celery sends one entry per tick
            delay = schedulers[0].tick()

    def load() -> None:
        schedulers.append(HeapScheduler(app))
        tick()

    def make_due(due: int) -> None:
        execute("UPDATE heap_schedules SET last_run_at = now() - interval '2 hours' WHERE id <= $1", due)
        schedulers[0].data = schedulers[0].runner.run(schedulers[0].read())
        schedulers[0]._heap = None
        schedulers[0].changed = False

    report(load, tick, lambda: execute("UPDATE heap_schedules SET seconds = 7200 WHERE id = 1"), make_due)


if __name__ == "__main__":
    main(int(sys.argv[1]))
