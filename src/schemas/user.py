from typing import Annotated

from pydantic import EmailStr, Field, StrictBool

from src.schemas.auth import Ciphertext, KeyId
from src.schemas.base import BaseRequest, SafeStr, UtcDatetime
from src.schemas.list_params import PageQuery, SearchIn, SortBy
from src.schemas.response import BaseResponse
from src.schemas.role import RoleCode

Name = Annotated[SafeStr, Field(min_length=1, max_length=64)]
Username = Annotated[SafeStr, Field(min_length=1, max_length=64, pattern=r"^[\w.@+\-]+$")]
Email = Annotated[EmailStr, Field(max_length=254)]
RoleCodes = Annotated[list[RoleCode], Field(max_length=1000)]


class UserIdentity(BaseRequest):
    """The fields that every new user has."""

    name: Name
    email: Email
    username: Username


class RegisterRequest(UserIdentity):
    """A registration; `password` is encrypted as for the login."""

    password: Ciphertext
    kid: KeyId


class UserCreate(RegisterRequest):
    """A new user."""

    roles: RoleCodes = Field(default_factory=list)
    status: StrictBool = True
    is_admin: StrictBool = False


class OperatorUserCreate(UserIdentity):
    """A new user, created by an operator on the command line; the password comes separately."""

    roles: RoleCodes = Field(default_factory=list)
    is_admin: StrictBool = False


class UserUpdate(BaseRequest):
    """A partial update of a user."""

    name: Name | None = None
    email: Email | None = None
    is_admin: StrictBool | None = None


class UserStatusUpdate(BaseRequest):
    """Enables or disables a user; disabling ends all of their sessions."""

    status: StrictBool


class UserRolesUpdate(BaseRequest):
    """The codes of the user's new roles, which replace the current ones."""

    roles: RoleCodes


class UserPasswordUpdate(BaseRequest):
    """A new password for a user, encrypted as for the login."""

    password: Ciphertext
    kid: KeyId


class PasswordChange(BaseRequest):
    """A change of the own password; both passwords are encrypted as for the login, each with its own challenge."""

    old_password: Ciphertext
    new_password: Ciphertext
    kid: KeyId


class UserQuery(PageQuery):
    """Filters of the user list."""

    sort: Annotated[SafeStr, SortBy("create_time", "update_time", "name", "username", "email", "status")] = ""
    keyword: Annotated[SafeStr, SearchIn("name", "username", "email")] = ""
    status: bool | None = None
    is_admin: bool | None = None
    create_time__gte: UtcDatetime | None = None
    create_time__lt: UtcDatetime | None = None


class UserResponse(BaseResponse):
    """A user."""

    name: str
    email: str
    username: str
    status: bool
    is_admin: bool
    must_change_password: bool
    roles: list[str] = Field(description="Codes of the user's roles, enabled or not.")
