from pydantic import Field

from src.schemas.base import BaseSchema


class RoleExplanation(BaseSchema):
    """What one of the user's roles has to say."""

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
