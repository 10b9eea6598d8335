from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import Field, StrictBool

from src.schemas.base import BaseRequest, BaseSchema, SafeStr
from src.schemas.list_params import PageQuery, SearchIn, SortBy
from src.schemas.response import BaseResponse

Permission = Annotated[SafeStr, Field(min_length=1, max_length=255)]
Permissions = Annotated[list[Permission], Field(max_length=1000)]
RoleCode = Annotated[SafeStr, Field(min_length=1, max_length=64, pattern=r"^[\w.:\-]+$")]


class RoleCreate(BaseRequest):
    """A new role; interface permissions are permission codes such as `GET:/api/v1/notices` or `SOCKET:chat.send`."""

    name: Annotated[SafeStr, Field(min_length=1, max_length=64)]
    """The name that people see."""
    description: Annotated[SafeStr, Field(max_length=255)] = ""
    """What the role is for."""
    code: RoleCode
    """Names the role in programs; it never changes."""
    status: StrictBool = True
    """Whether the role is enabled; a disabled role grants nothing."""
    interface_permissions: Permissions = Field(default_factory=list)
    """Permission codes of routes and events."""
    button_permissions: Permissions = Field(default_factory=list)
    """What the frontend shows inside its pages."""
    router_permissions: Permissions = Field(default_factory=list)
    """The pages that the frontend shows."""
    requires_factor: StrictBool = False
    """Whether those who have the role must have a second factor; until they have, nothing is permitted to them."""

    EXAMPLE: ClassVar = {
        "name": "Editor",
        "description": "Publishes notices.",
        "code": "editor",
        "interfacePermissions": ["GET:/api/v1/notices", "POST:/api/v1/notices"],
        "buttonPermissions": ["notice.publish"],
        "routerPermissions": ["/notices"],
    }


class RoleUpdate(BaseRequest):
    """A partial update of a role; `code` may be sent, but must not change."""

    name: Annotated[SafeStr, Field(min_length=1, max_length=64)] | None = None
    """The name that people see."""
    description: Annotated[SafeStr, Field(max_length=255)] | None = None
    """What the role is for."""
    code: RoleCode | None = None
    """The role's code, unchanged."""
    status: StrictBool | None = None
    """Whether the role is enabled; a disabled role grants nothing."""
    interface_permissions: Permissions | None = None
    """Permission codes of routes and events, which replace the current ones."""
    button_permissions: Permissions | None = None
    """What the frontend shows inside its pages."""
    router_permissions: Permissions | None = None
    """The pages that the frontend shows."""
    requires_factor: StrictBool | None = None
    """Whether those who have the role must have a second factor."""

    EXAMPLE: ClassVar = RoleCreate.EXAMPLE


class RoleQuery(PageQuery):
    """Filters of the role list."""

    sort: Annotated[SafeStr, SortBy("create_time", "update_time", "name", "code", "status")] = ""
    keyword: Annotated[SafeStr, SearchIn("name", "code", "description")] = ""
    status: bool | None = None
    """Only enabled or only disabled roles."""


class RoleResponse(BaseResponse):
    """A role."""

    name: str
    """The name that people see."""
    description: str
    """What the role is for."""
    code: str
    """Names the role in programs; it never changes."""
    status: bool
    """Whether the role is enabled; a disabled role grants nothing."""
    interface_permissions: list[str]
    """Permission codes of routes and events."""
    button_permissions: list[str]
    """What the frontend shows inside its pages."""
    router_permissions: list[str]
    """The pages that the frontend shows."""
    requires_factor: bool
    """Whether those who have the role must have a second factor."""

    EXAMPLE: ClassVar = RoleCreate.EXAMPLE


class RoleDetail(RoleResponse):
    """A role, with those of its permission codes that grant nothing."""

    stale_permissions: list[str]
    """Interface permissions of removed routes and events."""


class PermissionChange(BaseSchema):
    """What a user would gain or lose."""

    user_id: UUID
    """The user's id."""
    username: str
    """The user's name for the login."""
    codes: list[str]
    """Permission codes; `button:` and `router:` begin those of frontends."""

    EXAMPLE: ClassVar = {"username": "ada", "codes": ["POST:/api/v1/notices", "button:notice.publish"]}


class RolePreview(BaseSchema):
    """Who would gain and lose which permissions. Users whom other roles grant the same are left out."""

    gains: list[PermissionChange]
    """What users would gain, by username."""
    loses: list[PermissionChange]
    """What users would lose, by username."""
    holders: int
    """How many users have the role; the lists are about the first 1,000 of them."""

    EXAMPLE: ClassVar = {"holders": 1}
