from datetime import datetime
from typing import ClassVar, Self
from uuid import UUID

from pydantic import JsonValue, model_validator

from src.models.task_run import RunState
from src.schemas.audit import AuditLogResponse
from src.schemas.auth import OptionalCiphertext, OptionalKeyId
from src.schemas.base import BaseRequest, BaseSchema
from src.schemas.task import TaskId


class DeletionRequest(BaseRequest):
    """The password of the current user, encrypted as for the login; empty if the account has none."""

    password: OptionalCiphertext = None
    kid: OptionalKeyId = None

    EXAMPLE: ClassVar = {"password": "correct horse battery staple", "kid": "current"}


class DeletionResponse(BaseSchema):
    """When the account will be deleted."""

    due_at: datetime
    """Until then, the user can log in and cancel it."""


class ExportRequested(BaseSchema):
    """An export that a task writes."""

    task_id: UUID
    """The run's id, as in the events `task.progress` and `task.finished`."""


class ExportResponse(BaseSchema):
    """The current user's newest export, a ZIP archive of JSON files."""

    filename: str
    """The name without a path."""
    size_bytes: int
    """The size."""
    checksum_sha256: str
    """SHA-256 of the content in hexadecimal."""
    create_time: datetime
    """When it was written."""
    delete_at: datetime
    """When it is deleted."""
    download_url: str
    """A signed URL that works for some minutes, without a login."""

    EXAMPLE: ClassVar = {
        "filename": "account-2026-01-01.zip",
        "sizeBytes": 20000,
        "checksumSha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "downloadUrl": "https://storage.example.com/files/019b7700?X-Amz-Signature=…",
    }


class ExportedMessage(BaseSchema):
    """A chat message of the user, in an export."""

    id: UUID
    """The message's id."""
    create_time: datetime
    """When it was stored."""
    room: str
    """The room that it was sent to."""
    text: str
    """Plain text."""

    EXAMPLE: ClassVar = {"room": "general", "text": "Hello"}


class ExportedAuditEntry(BaseSchema):
    """What somebody did to the user's account, in an export: without what is personal to that somebody."""

    id: UUID
    """The entry's id."""
    time: datetime
    """When it was done."""
    action: str
    """Permission code of the route."""
    actor_id: UUID | None
    """Who did it."""
    result: str
    """Whether it succeeded."""

    EXAMPLE: ClassVar = {"action": "PUT:/api/v1/users/{userId}/status", "result": "success"}


class ExportedOwnEntry(AuditLogResponse):
    """What the user did, in an export; while an administrator acted as the user, the client was the administrator's."""

    EXAMPLE: ClassVar = AuditLogResponse.EXAMPLE

    @model_validator(mode="after")
    def _hide_client_of_administrator(self) -> Self:
        if self.acted_by is not None:
            self.address = self.user_agent = ""
        return self


class ExportedRun(BaseSchema):
    """A task run of the user, in an export: without what errors and workers tell of the servers."""

    task_id: TaskId
    """The run's id."""
    name: str
    """The task's name."""
    state: RunState
    """The state, named as in Celery."""
    args: list[JsonValue]
    """Positional arguments; secrets are masked."""
    kwargs: dict[str, JsonValue]
    """Named arguments; secrets are masked."""
    queued_at: datetime | None
    """When it was sent."""
    started_at: datetime | None
    """When a worker last started it."""
    finished_at: datetime | None
    """When it ended."""
    result: JsonValue
    """What the task returned: any JSON value."""
    schedule_id: UUID | None
    """The schedule that sent it."""

    EXAMPLE: ClassVar = {"name": "notices.announce", "state": "SUCCESS"}
