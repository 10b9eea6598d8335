"""Results and run history: both are written by workers, to Redis.

    start     RecordedTask.before_start ─→ RunHistory.start ─→ stream `tasks:runs`
                                           (also: was it revoked? how often redelivered?)
                                         ─→ StartLimits: `unique_by`, `rate_limit_key`
    outcome   Celery's task tracer ─→ ResultBackend ─→ `celery-task-meta-<id>`, for `AsyncResult` (an hour)
                                   └→ Celery's signals ─→ RunHistory.record ─→ the same stream
    history   the task `tasks.record` moves the stream to the table `task_runs` (`src/services/task_run.py`)

    outage    retry_outages: again with backoff while a store is down, then a dead letter

In the asyncio pool concurrent writes share one command. Public: `ResultBackend`, `RecordedTask`, `run_id`.
"""
