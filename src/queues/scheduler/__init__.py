"""Celery beat on the `schedules` table.

The index on `next_run_at` is the heap: each tick takes the due rows, writes their next times, publishes and commits.
Any number of beats run side by side. The door is `AsyncDatabaseScheduler`.
"""

from src.queues.scheduler.database_scheduler import AsyncDatabaseScheduler

__all__ = ["AsyncDatabaseScheduler"]
