"""The product's periodic tasks. Beat merges them into the table `schedules`, where they can be disabled."""

from typing import Any

from celery.schedules import crontab

from src.core.config import settings

BEAT_SCHEDULE: dict[str, dict[str, Any]] = {
    # `expires` drops a run that no worker could start before the next one is due.
    "outbox.relay": {"task": "outbox.relay", "schedule": 2.0, "options": {"expires": 10}},
    "tasks.record": {"task": "tasks.record", "schedule": 2.0, "options": {"expires": 5}},
    "tasks.prune": {"task": "tasks.prune", "schedule": 600.0, "options": {"expires": 600}},
    "files.sweep": {"task": "files.sweep", "schedule": 300.0, "options": {"expires": 300}},
    "files.reconcile": {"task": "files.reconcile", "schedule": crontab(hour="3", minute="30")},
    "notices.expire": {"task": "notices.expire", "schedule": 60.0, "options": {"expires": 60}},
}

if settings.auth.deletion_days is not None:
    BEAT_SCHEDULE["accounts.delete_due"] = {
        "task": "accounts.delete_due",
        "schedule": 3600.0,
        "options": {"expires": 3600},
    }
