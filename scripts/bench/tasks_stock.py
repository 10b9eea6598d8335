"""Stock Celery: `asyncio.run` in each task, and synchronous tasks for the thread pool.

celery -A scripts.bench.tasks_stock worker · python -m scripts.bench.tasks_stock noop 5000
"""

import asyncio
import os
import sys
import time

from celery import Celery

app = Celery("stock", broker=os.environ["BENCH_BROKER"], backend=os.environ["BENCH_RESULTS"])
app.conf.broker_connection_retry_on_startup = True


@app.task(name="bench.noop")
def noop() -> None:
    """Do nothing, in a coroutine."""
    asyncio.run(asyncio.sleep(0))


@app.task(name="bench.sleep")
def sleep() -> None:
    """Sleep, in a coroutine."""
    asyncio.run(asyncio.sleep(0.1))


@app.task(name="bench.sync_noop")
def sync_noop() -> None:
    """Do nothing."""


@app.task(name="bench.sync_sleep")
def sync_sleep() -> None:
    """Sleep."""
    time.sleep(0.1)


if __name__ == "__main__":
    for _ in range(int(sys.argv[2])):
        app.send_task(f"bench.{sys.argv[1]}")
