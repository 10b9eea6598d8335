"""Celery beat on the table `schedules`, whose index on `next_run_at` replaces beat's in-memory heap.

    tick      NEXT_DUE: is a row unplanned? when is the next one due?                    statements.py
              unplanned rows → set `next_run_at`                                         planning.py
              due rows, locked (SKIP LOCKED) → skip if still running → advance → send    overlap.py, sending.py
              commit
    wait      until the next row is due, or PostgreSQL notifies of a changed row         listener.py

The first tick merges `beat_schedule` into the table (config_sync.py). Signals that stop the process wait for the end
of a tick (signals.py). Any number of beats share the table; each takes the due rows that no other has locked. The task
id of a slot is derived from schedule and time, so a slot sent twice is recognisable. Public: `AsyncDatabaseScheduler`.
"""

from src.queues.scheduler.database_scheduler import AsyncDatabaseScheduler

__all__ = ["AsyncDatabaseScheduler"]
