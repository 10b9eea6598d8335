"""The Celery application with one more task, whose progress the check of the console watches."""

import asyncio
from datetime import date

from src.queues.app import app
from src.queues.progress import progress

__all__ = ["app"]

STEPS = 8


@app.task(name="check.count", requires="POST:/api/v1/schedules")
async def count(seconds: float = 4, day: date = date(2030, 1, 1)) -> None:
    """Count for that many seconds, on any day."""
    for done in range(STEPS + 1):
        await progress(done, STEPS)
        await asyncio.sleep(seconds / STEPS)
