"""The audit entry of a request, filled in while the request runs."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from src.utils.text import to_storable


@dataclass(slots=True)
class AuditEntry:
    """An entry of the audit log. Dependencies and services fill it in; it must hold no secrets and no bodies.

    Attributes:
        actor_id: The user, once authenticated.
        api_key_id: The API key that the request was sent with.
        acted_by: The administrator who acted as the user.
        details: What the permission code and the path parameters do not say, such as the username of a login.
        record_anonymous: Record a failure even without an actor. Set by logins; other unauthenticated requests are only
            in the access log, so that they cannot flood the audit log.
    """

    action: str
    target: dict[str, str] = field(default_factory=dict)
    address: str = ""
    user_agent: str = ""
    request_id: str = ""
    actor_id: UUID | None = None
    api_key_id: UUID | None = None
    acted_by: UUID | None = None
    details: dict[str, Any] = field(default_factory=dict)
    record_anonymous: bool = False

    def outcome(self, status: int, error: str | None = None) -> dict[str, Any]:
        """The entry with its result, as the payload of the task that stores it: it may quote what was refused."""
        payload: dict[str, Any] = to_storable(
            {
                "action": self.action,
                "actor_id": str(self.actor_id) if self.actor_id else None,
                "api_key_id": str(self.api_key_id) if self.api_key_id else None,
                "acted_by": str(self.acted_by) if self.acted_by else None,
                "result": "success" if error is None else "failure",
                "status": status,
                "error": error,
                "target": self.target,
                "details": self.details,
                "address": self.address,
                "user_agent": self.user_agent[:256],
                "request_id": self.request_id,
            }
        )
        return payload
