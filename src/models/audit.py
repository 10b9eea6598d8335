from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from beanie import Document
from pydantic import Field
from pymongo import ASCENDING, DESCENDING, IndexModel


class AuditLog(Document):
    """An audit log entry: who did what, when, from where, with which result. No passwords, tokens or bodies.

    `id` is the id of the outbox row: a repeated delivery is detected, and entries sort by time. Many equal refusals in
    a minute are one entry, with their number as `times`.
    """

    id: UUID  # type: ignore[assignment]  # how Beanie documents other key types
    time: datetime
    action: str
    actor_id: UUID | None = None
    api_key_id: UUID | None = None
    acted_by: UUID | None = None
    result: str
    status: int
    error: str | None = None
    target: dict[str, str] = Field(default_factory=dict)
    details: dict[str, Any] = Field(default_factory=dict)
    address: str = ""
    user_agent: str = ""
    request_id: str = ""
    times: int = 1

    class Settings:
        """The collection and its indexes."""

        name = "audit_logs"
        use_state_management = False
        indexes: ClassVar[list[IndexModel]] = [
            IndexModel([("actor_id", ASCENDING), ("_id", DESCENDING)]),
            IndexModel([("api_key_id", ASCENDING), ("_id", DESCENDING)]),
            IndexModel([("acted_by", ASCENDING), ("_id", DESCENDING)]),
            IndexModel([("action", ASCENDING), ("_id", DESCENDING)]),
            IndexModel([("target.userId", ASCENDING), ("_id", DESCENDING)], sparse=True),
            IndexModel([("result", ASCENDING), ("_id", DESCENDING)]),
            IndexModel([("request_id", ASCENDING), ("_id", DESCENDING)]),
        ]
