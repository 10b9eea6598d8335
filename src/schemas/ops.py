from datetime import datetime
from typing import ClassVar

from src.schemas.base import BaseSchema
from src.schemas.traffic import Events, Minute, Requests


class RunCounts(BaseSchema):
    """How many runs are in each state; those that have ended are those of the last hour."""

    pending: int
    """Sent, and not started yet."""
    started: int
    """Running."""
    retry: int
    """Waiting for another attempt."""
    success: int
    """Succeeded within the last hour."""
    failure: int
    """Failed within the last hour."""
    revoked: int
    """Revoked within the last hour."""

    EXAMPLE: ClassVar = {"pending": 5, "started": 3, "retry": 0, "success": 840, "failure": 2, "revoked": 0}


class QueueLoad(BaseSchema):
    """A queue."""

    name: str
    """The queue's name."""
    waiting: int
    """Messages that no worker has fetched."""
    reserved: int
    """Messages that workers have fetched, and whose run has not ended."""

    EXAMPLE: ClassVar = {"name": "celery", "waiting": 5, "reserved": 3}


class MessageCounts(BaseSchema):
    """Messages outside the queues."""

    delayed: int
    """Waiting for their time."""
    dead_letters: int
    """No worker could run them, or their run gave up."""
    malformed: int
    """Could not be read, and were set aside."""

    EXAMPLE: ClassVar = {"delayed": 2, "deadLetters": 0, "malformed": 0}


class ProcessState(BaseSchema):
    """A process and its last sign of life."""

    name: str
    """Names the process."""
    host: str
    """The machine, or container, that it runs on."""
    pid: int
    """Its process id there."""
    started_at: datetime | None
    """When it started; null if it has never reported."""
    seen_at: datetime | None
    """Its last sign of life; null if it has never reported."""
    alive: bool
    """Whether that is recent."""

    EXAMPLE: ClassVar = {"name": "beat@server-1:7d2e3f40", "host": "server-1", "pid": 4711}


class ApiState(ProcessState):
    """A process of the API."""

    clients: int
    """Open Socket.IO connections."""

    EXAMPLE: ClassVar = {"name": "api@server-1:5f0c1d2e", "host": "server-1", "pid": 4712, "clients": 40}


class WorkerState(ProcessState):
    """A worker."""

    running: int
    """How many runs it has started and not finished."""
    reserved: int
    """How many messages it has fetched and not finished."""
    queues: list[str]
    """The queues that it consumes."""

    EXAMPLE: ClassVar = {
        "name": "celery@server-1",
        "host": "server-1",
        "pid": 4713,
        "running": 3,
        "reserved": 5,
        "queues": ["celery"],
    }


class Pool(BaseSchema):
    """A pool of connections of an API process."""

    process: str
    """The process."""
    name: str
    """The store: `postgres`, or a name of `SQL_DATABASES`."""
    size: int
    """How many connections it may open."""
    in_use: int
    """How many are in use."""

    EXAMPLE: ClassVar = {"process": "api@server-1:5f0c1d2e", "name": "postgres", "size": 20, "inUse": 2}


class ScheduleCounts(BaseSchema):
    """How many schedules there are."""

    enabled: int
    """Enabled ones."""
    paused: int
    """Those that beat or a user paused, with a reason."""
    due: int
    """Enabled ones whose time has come, and which beat has not sent."""
    late: int
    """Those of them that are over a minute late."""

    EXAMPLE: ClassVar = {"enabled": 12, "paused": 1, "due": 0, "late": 0}


class OutboxTopic(BaseSchema):
    """Messages of a topic that wait in the outbox."""

    topic: str
    """What they are: `task` or `audit`."""
    waiting: int
    """How many; 10001 means more than 10000."""
    oldest_at: datetime
    """Since when the oldest waits."""

    EXAMPLE: ClassVar = {"topic": "task", "waiting": 2}


class StoreState(BaseSchema):
    """A store, asked just now."""

    name: str
    """The store, as in `/readyz`; `broker` is where tasks wait."""
    required: bool
    """Whether most requests need it."""
    available: bool
    """Whether it responds."""
    latency_ms: float
    """How long it took to respond."""
    reason: str
    """Why it is unavailable; empty if it is not."""

    EXAMPLE: ClassVar = {"name": "postgres", "latencyMs": 0.8, "reason": ""}


class OpsOverview(BaseSchema):
    """What is going on, in all processes."""

    at: datetime
    """When this was read."""
    requests: Requests
    """Requests of the last hour."""
    events: Events
    """Socket.IO events of the last hour."""
    runs: RunCounts
    """Runs by state."""
    queues: list[QueueLoad]
    """The queues of tasks, schedules and workers, by name."""
    messages: MessageCounts
    """Messages outside the queues."""
    workers: list[WorkerState]
    """Workers, idle ones included, by name."""
    beats: list[ProcessState]
    """Schedulers; the sign of life is the last time that one looked for due schedules."""
    apis: list[ApiState]
    """Processes of the API."""
    pools: list[Pool]
    """Pools of connections of the API's processes."""
    schedules: ScheduleCounts
    """Schedules by state."""
    outbox: list[OutboxTopic]
    """What waits in the outbox; empty if nothing does."""
    stores: list[StoreState]
    """The stores."""


class OpsHistory(OpsOverview):
    """What is going on, and what happened in the last hour."""

    history: list[Minute]
    """60 minutes, oldest first; the last one has not ended."""
