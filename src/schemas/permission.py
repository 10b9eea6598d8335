from typing import ClassVar

from src.schemas.base import BaseSchema


class RoleExplanation(BaseSchema):
    """Whether one of the user's roles grants the permission."""

    code: str
    """Code of the role."""
    name: str
    """Name of the role."""
    status: bool
    """Whether the role is enabled."""
    grants: bool
    """Whether the role lists the permission, enabled or not."""

    EXAMPLE: ClassVar = {"code": "editor", "name": "Editor"}


class PermissionExplanation(BaseSchema):
    """Whether a user may call a route, and why."""

    permission: str
    """The permission code of the route."""
    granted: bool
    """Whether the user may call the route."""
    reason: str
    """Why, in one sentence."""
    decided_by: str | None
    """Code of the role that grants it."""
    roles: list[RoleExplanation]
    """All of the user's roles."""

    EXAMPLE: ClassVar = {
        "permission": "GET:/api/v1/notices",
        "reason": "The role editor grants it.",
        "decidedBy": "editor",
    }
