from typing import ClassVar

from src.schemas.base import BaseSchema


class BusyWorker(BaseSchema):
    """A worker that runs tasks."""

    name: str
    """The worker's name."""
    running: int
    """How many runs it has started and not finished."""

    EXAMPLE: ClassVar = {"name": "celery@worker-1", "running": 3}


class UnfinishedRuns(BaseSchema):
    """How many runs have not finished."""

    pending: int
    """Sent, and not started yet."""
    started: int
    """Running."""
    retry: int
    """Waiting for another attempt."""

    EXAMPLE: ClassVar = {"pending": 5, "started": 3, "retry": 0}


class OpsOverview(BaseSchema):
    """What is going on, sent to those who watch whenever runs have changed."""

    runs: UnfinishedRuns
    """Runs that have not finished."""
    workers: list[BusyWorker]
    """The workers that run tasks, by name."""
