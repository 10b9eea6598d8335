from typing import Annotated

from pydantic import Field, StrictBool

from src.schemas.base import BaseRequest, SafeStr
from src.schemas.list_params import PageQuery, SearchIn, SortBy
from src.schemas.response import BaseResponse

Permission = Annotated[SafeStr, Field(min_length=1, max_length=255)]
Permissions = Annotated[list[Permission], Field(max_length=1000)]
RoleCode = Annotated[SafeStr, Field(min_length=1, max_length=64, pattern=r"^[\w.:\-]+$")]


class RoleCreate(BaseRequest):
    """A new role; interface permissions are permission codes such as `GET:/api/v1/notices` or `SOCKET:chat.send`."""

    name: Annotated[SafeStr, Field(min_length=1, max_length=64)]
    description: Annotated[SafeStr, Field(max_length=255)] = ""
    code: RoleCode
    status: StrictBool = True
    interface_permissions: Permissions = Field(default_factory=list)
    button_permissions: Permissions = Field(default_factory=list)
    router_permissions: Permissions = Field(default_factory=list)


class RoleUpdate(BaseRequest):
    """A partial update of a role; `code` may be sent, but must not change."""

    name: Annotated[SafeStr, Field(min_length=1, max_length=64)] | None = None
    description: Annotated[SafeStr, Field(max_length=255)] | None = None
    code: RoleCode | None = None
    status: StrictBool | None = None
    interface_permissions: Permissions | None = None
    button_permissions: Permissions | None = None
    router_permissions: Permissions | None = None


class RoleQuery(PageQuery):
    """Filters of the role list."""

    sort: Annotated[SafeStr, SortBy("create_time", "update_time", "name", "code", "status")] = ""
    keyword: Annotated[SafeStr, SearchIn("name", "code", "description")] = ""
    status: bool | None = None


class RoleResponse(BaseResponse):
    """A role."""

    name: str
    description: str
    code: str
    status: bool
    interface_permissions: list[str]
    button_permissions: list[str]
    router_permissions: list[str]


class RoleDetail(RoleResponse):
    """A role, with those of its permission codes that grant nothing."""

    stale_permissions: list[str] = Field(description="Interface permissions of removed routes and events.")
