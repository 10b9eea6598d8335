"""Ten thousand tasks that use the database session, in one worker: none fails, and the connection pool suffices.

python -m scripts.bench.sessions [--count 10000]
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
from collections import Counter
from pathlib import Path

import asyncpg

from scripts.bench.tasks import SYSTEMS, running
from scripts.local.stores import embedded_stores
from src.core.config.sql import SQLSettings


async def most_connections(url: str, done: asyncio.Event) -> int:
    """The highest number of connections that the database had, except this one, until `done`."""
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    most = 0
    while not done.is_set():
        count = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
        most = max(most, await connection.fetchval(count) - 1)
        await asyncio.sleep(0.02)
    await connection.close()
    return most


async def measure(count: int, redis_url: str, sql_url: str) -> None:
    """Print the states of the tasks, and the number of connections."""
    settings = SQLSettings()
    allowed = settings.pool_size + settings.max_overflow
    done = asyncio.Event()
    watch = asyncio.create_task(most_connections(sql_url, done))
    with running(SYSTEMS["bulk"], sys.executable, redis_url) as worker:
        figures = await asyncio.to_thread(worker.run, "query", count)
        keys = list(worker.broker.scan_iter("celery-task-meta-*", 10_000))
        states = Counter(json.loads(value)["status"] for value in worker.broker.mget(keys) if value)
    done.set()
    print(f"{count} tasks: {figures.rate:.0f} per second, states {dict(states)}")
    print(f"at most {await watch} connections, of {allowed} allowed")


def main() -> None:
    """Start the stores, measure, and stop."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        with embedded_stores(Path(directory) / "stores") as variables:
            os.environ.update(variables, ENVIRONMENT="TESTING")
            asyncio.run(measure(options.count, variables["REDIS_DATABASE_URL"], variables["SQL_DATABASE_URL"]))


if __name__ == "__main__":
    main()
