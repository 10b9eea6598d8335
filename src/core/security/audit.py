"""What the audit log is told of a request, collected while it runs."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID


@dataclass(slots=True)
class AuditEntry:
    """One entry in the making; whoever learns a fact fills it in. No secrets, no bodies.

    Attributes:
        actor_id: Who is calling, once that is proven.
        details: Facts that the route's code and path do not tell, such as the name that a login tried.
        record_anonymous: Record a failure even without an actor. Set by logins; other unauthenticated requests are only
            in the access log, so that they cannot flood the audit log.
    """

    action: str
    target: dict[str, str] = field(default_factory=dict)
    address: str = ""
    user_agent: str = ""
    request_id: str = ""
    actor_id: UUID | None = None
    details: dict[str, Any] = field(default_factory=dict)
    record_anonymous: bool = False

    def outcome(self, status: int, error: str | None = None) -> dict[str, Any]:
        """The entry with its end, ready for the outbox."""
        return {
            "action": self.action,
            "actor_id": str(self.actor_id) if self.actor_id else None,
            "result": "success" if error is None else "failure",
            "status": status,
            "error": error,
            "target": self.target,
            "details": self.details,
            "address": self.address,
            "user_agent": self.user_agent[:256],
            "request_id": self.request_id,
        }
