from typing import Any

from celery.apps import worker


class Worker(worker.Worker):
    """Celery's worker, whose pool has no time limits of its own unless `celery worker` gets them as arguments.

    Tasks take the global limits from the configuration. A pool would apply them again to a task that sets only one.
    """

    def setup_defaults(  # type: ignore[override]  # the base class has more parameters, all keywords
        self, time_limit: float | None = None, soft_time_limit: float | None = None, **kwargs: Any
    ) -> None:
        """Set the attributes that the worker's components read."""
        super().setup_defaults(**kwargs)
        self.time_limit, self.soft_time_limit = time_limit, soft_time_limit
