from pydantic import Field

from src.schemas.base import BaseSchema


class RoleExplanation(BaseSchema):
    """Whether one of the user's roles grants the permission."""

    code: str
    name: str
    status: bool
    grants: bool = Field(description="The role lists the permission, whether it is enabled or not.")


class PermissionExplanation(BaseSchema):
    """Whether a user may call a route, and why."""

    permission: str
    granted: bool
    reason: str
    decided_by: str | None = Field(description="Code of the role that grants it.")
    roles: list[RoleExplanation]
