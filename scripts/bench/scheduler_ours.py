"""Measures the product's scheduler."""

import asyncio
import os
import sys
from typing import Any

import asyncpg

from scripts.bench.scheduler_costs import report
from src.queues.celery import Celery
from src.queues.scheduler import AsyncDatabaseScheduler

FILL = """
INSERT INTO schedules (
    id, create_time, update_time, name, description, origin, enabled, task, args, kwargs, queue, headers, kind, every,
    period, timezone, jitter_seconds, misfire_policy, overlap_policy, total_run_count, next_run_at
)
SELECT
    gen_random_uuid(), now(), now(), 'bench ' || n, '', 'user', true, 'bench.task', '[1]', '{}', 'bench', '{}',
    'interval', 1, 'hours', 'UTC', 0, 'run_once', 'allow', 0, now() + interval '1 hour'
FROM generate_series(1, $1::int) AS n
"""
MAKE_DUE = "UPDATE schedules SET next_run_at = now() WHERE name = ANY($1::text[])"


def execute(statement: str, *arguments: Any) -> None:
    """Run a statement on a connection of its own."""

    async def run() -> None:
        connection = await asyncpg.connect(os.environ["BENCH_DATABASE"])
        await connection.execute(statement, *arguments)
        await connection.close()

    asyncio.run(run())


def main(count: int) -> None:
    """Fill the table and measure."""
    execute("TRUNCATE schedules")
    execute(FILL, count)
    execute("VACUUM ANALYZE schedules")
    app = Celery("bench", broker=os.environ["BENCH_BROKER"])
    app.conf.update(database_url=os.environ["SQL_DATABASE_URL"], beat_schedule={})
    schedulers: list[AsyncDatabaseScheduler] = []

    def tick() -> None:
        schedulers[0].tick()

    def load() -> None:
        schedulers.append(AsyncDatabaseScheduler(app))
        schedulers[0].max_interval = 0  # ticks do not wait
        tick()

    report(
        load,
        tick,
        lambda: execute("UPDATE schedules SET every = 2, next_run_at = NULL WHERE name = 'bench 1'"),
        lambda due: execute(MAKE_DUE, [f"bench {n + 2}" for n in range(due)]),
    )
    schedulers[0].close()


if __name__ == "__main__":
    main(int(sys.argv[1]))
