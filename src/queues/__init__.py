"""Celery: tasks that may be coroutines, a worker, and a beat that reads its schedules from the database.

    sender    task.delay · await task.adelay · uow.enqueue → outbox → CeleryPublisher     all through PublisherThread
    broker    Redis lists                                                                  broker/
    worker    Celery's consumer → pool → AsyncTask: dependencies resolved, coroutine run   pool/, task.py
    outcome   result backend, run history                                                  results/
    beat      table `schedules` → due rows → tasks by name                                 scheduler/
    overview  counts, dead letters, signs of life                                          inspection/

`app.py` is the composition root of worker, beat and all senders; `tasks/` holds the product's tasks.
Public: `src.queues.app:app`, `load_app` (imports it on demand), `src.queues.celery.Celery`, `progress.progress`.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from celery import Celery


def load_app() -> "Celery[Any]":
    """Import the product's Celery application, which takes half a second."""
    from src.queues.app import app

    return app
