"""The product's own periodic work; beat merges it into the table of schedules, where it can be switched off."""

from typing import Any

BEAT_SCHEDULE: dict[str, dict[str, Any]] = {
    # A run that the worker did not get to within its interval is overtaken by the next.
    "outbox.relay": {"task": "outbox.relay", "schedule": 2.0, "options": {"expires": 10}},
    "tasks.record": {"task": "tasks.record", "schedule": 2.0, "options": {"expires": 5}},
    "tasks.prune": {"task": "tasks.prune", "schedule": 600.0, "options": {"expires": 600}},
    "notices.expire": {"task": "notices.expire", "schedule": 60.0, "options": {"expires": 60}},
}
