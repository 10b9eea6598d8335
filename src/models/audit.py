from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from beanie import Document
from pydantic import Field
from pymongo import ASCENDING, DESCENDING, IndexModel


class AuditLog(Document):
    """Who did what, when, from where, with which result; never a password, a token or a body.

    `id` is that of the outbox row, so a repeated delivery changes nothing, and later entries sort later.
    """

    id: UUID  # type: ignore[assignment]  # Beanie's way to choose another kind of key
    time: datetime
    action: str
    actor_id: UUID | None = None
    result: str
    status: int
    error: str | None = None
    target: dict[str, str] = Field(default_factory=dict)
    details: dict[str, Any] = Field(default_factory=dict)
    address: str = ""
    user_agent: str = ""
    request_id: str = ""

    class Settings:
        """Where the documents live, and how they are found."""

        name = "audit_logs"
        use_state_management = False
        indexes: ClassVar[list[IndexModel]] = [
            IndexModel([("actor_id", ASCENDING), ("_id", DESCENDING)]),
            IndexModel([("action", ASCENDING), ("_id", DESCENDING)]),
        ]
