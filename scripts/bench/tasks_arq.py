"""The same tasks for arq.

python -m scripts.bench.tasks_arq · python -m scripts.bench.tasks_arq noop 5000
"""

import asyncio
import os
import sys
from typing import Any

import uvloop
from arq import create_pool
from arq.connections import RedisSettings
from arq.worker import Worker

REDIS = RedisSettings.from_dsn(os.environ["BENCH_BROKER"])


async def noop(_context: dict[str, Any]) -> None:
    """Do nothing."""


async def sleep(_context: dict[str, Any]) -> None:
    """Sleep."""
    await asyncio.sleep(0.1)


async def send(name: str, count: int) -> None:
    """Enqueue a task this many times."""
    pool = await create_pool(REDIS)
    for _ in range(count):
        await pool.enqueue_job(name)
    await pool.close()


if __name__ == "__main__":
    uvloop.install()
    if len(sys.argv) > 1:
        asyncio.run(send(sys.argv[1], int(sys.argv[2])))
    else:
        asyncio.set_event_loop(asyncio.new_event_loop())
        Worker([noop, sleep], redis_settings=REDIS, max_jobs=200, keep_result=3600, poll_delay=0.1).run()
