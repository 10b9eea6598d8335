"""The product's application with three more tasks.

celery -A scripts.bench.tasks_ours worker -P custom · python -m scripts.bench.tasks_ours noop 5000

`BENCH_UNTRACKED=1` keeps their runs out of the run history.
"""

import asyncio
import os
import sys

from sqlalchemy import text

from src.deps.database import SessionDep
from src.queues.app import app

__all__ = ["app"]

TRACKED = not os.environ.get("BENCH_UNTRACKED")


@app.task(name="bench.noop", tracked=TRACKED)
async def noop() -> None:
    """Do nothing."""


@app.task(name="bench.sleep", tracked=TRACKED)
async def sleep() -> None:
    """Sleep, like a task that waits for a store."""
    await asyncio.sleep(0.1)


@app.task(name="bench.query")
async def query(session: SessionDep) -> None:
    """Query through the session of the unit of work."""
    await session.exec(text("SELECT 1"))  # type: ignore[call-overload]  # SQL text


if __name__ == "__main__":
    for _ in range(int(sys.argv[2])):
        app.send_task(f"bench.{sys.argv[1]}")
