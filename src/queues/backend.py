from typing import Any

from celery.backends.redis import RedisBackend


class ResultBackend(RedisBackend):
    """Results in Redis, subscribed to by those who wait for one; Celery's own subscribes with every message sent."""

    def on_task_call(self, producer: Any, task_id: str) -> None:
        """Publishing costs no subscription: waiting for a result looks it up first, then subscribes."""
