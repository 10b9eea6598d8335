from datetime import datetime
from typing import Annotated, ClassVar

from pydantic import AfterValidator, EmailStr, Field, StrictBool

from src.schemas.auth import Ciphertext, KeyId
from src.schemas.base import BaseRequest, SafeStr, UtcDatetime
from src.schemas.list_params import PageQuery, SearchIn, SortBy
from src.schemas.response import BaseResponse
from src.schemas.role import RoleCode
from src.utils.username import normalize_username

Name = Annotated[SafeStr, Field(min_length=1, max_length=64)]
Username = Annotated[
    SafeStr, Field(min_length=1, max_length=64, pattern=r"^[\w.@+\-]+$"), AfterValidator(normalize_username)
]
Email = Annotated[EmailStr, Field(max_length=254)]
RoleCodes = Annotated[list[RoleCode], Field(max_length=1000)]


class UserIdentity(BaseRequest):
    """The fields that every new user has."""

    name: Name
    """The name that others see."""
    email: Email
    """The email address; each user has a different one."""
    username: Username
    """The name to log in with; upper and lower case are not distinguished."""

    EXAMPLE: ClassVar = {"name": "Ada Lovelace", "email": "ada@example.com", "username": "ada"}


class RegisterRequest(UserIdentity):
    """A registration; `password` is encrypted as for the login."""

    password: Ciphertext
    kid: KeyId

    EXAMPLE: ClassVar = {**UserIdentity.EXAMPLE, "password": "correct horse battery staple", "kid": "current"}


class UserCreate(RegisterRequest):
    """A new user."""

    roles: RoleCodes = Field(default_factory=list)
    """Codes of the user's roles."""
    status: StrictBool = True
    """Whether the user is enabled."""
    is_admin: StrictBool = False
    """Administrators hold every permission."""

    EXAMPLE: ClassVar = {**RegisterRequest.EXAMPLE, "roles": []}


class OperatorUserCreate(UserIdentity):
    """A new user, created by an operator on the command line; the password comes separately."""

    roles: RoleCodes = Field(default_factory=list)
    is_admin: StrictBool = False


class UserUpdate(BaseRequest):
    """A partial update of a user."""

    name: Name | None = None
    """The name that others see."""
    email: Email | None = None
    """The email address; each user has a different one."""
    is_admin: StrictBool | None = None
    """Administrators hold every permission."""

    EXAMPLE: ClassVar = {"name": "Ada King", "email": "ada.king@example.com"}


class UserStatusUpdate(BaseRequest):
    """Enables or disables a user; disabling ends all of their sessions."""

    status: StrictBool
    """Whether the user is enabled."""


class UserRolesUpdate(BaseRequest):
    """The codes of the user's new roles, which replace the current ones."""

    roles: RoleCodes
    """Codes of roles."""

    EXAMPLE: ClassVar = {"roles": []}


class UserPasswordUpdate(BaseRequest):
    """A new password for a user, encrypted as for the login."""

    password: Ciphertext
    kid: KeyId


class PasswordChange(BaseRequest):
    """A change of the own password; both passwords are encrypted as for the login, each with its own challenge."""

    old_password: Ciphertext
    new_password: Ciphertext
    kid: KeyId

    EXAMPLE: ClassVar = {
        "oldPassword": "the current password",
        "newPassword": "correct horse battery staple",
        "kid": "current",
    }


class UserQuery(PageQuery):
    """Filters of the user list."""

    sort: Annotated[SafeStr, SortBy("create_time", "update_time", "name", "username", "email", "status")] = ""
    keyword: Annotated[SafeStr, SearchIn("name", "username", "email")] = ""
    status: bool | None = None
    """Only enabled or only disabled users."""
    is_admin: bool | None = None
    """Only administrators, or only others."""
    is_service_account: bool | None = None
    """Only service accounts, or only people."""
    create_time__gte: UtcDatetime | None = None
    """Only users who were created at this time or later."""
    create_time__lt: UtcDatetime | None = None
    """Only users who were created before this time."""


class UserResponse(BaseResponse):
    """A user."""

    name: str
    """The name that others see."""
    email: str
    """The email address."""
    username: str
    """The name to log in with."""
    status: bool
    """Whether the user is enabled."""
    is_admin: bool
    """Administrators hold every permission."""
    must_change_password: bool
    """If true, nothing else is permitted until the user has changed their password."""
    is_service_account: bool
    """Whether it is a machine's account, which has no password and is used by its API keys alone."""
    roles: list[str]
    """Codes of the user's roles, enabled or not."""
    deletion_due_at: datetime | None
    """When the account is deleted, as its user has asked; null if they have not. Not while it is disabled."""

    EXAMPLE: ClassVar = {
        **UserIdentity.EXAMPLE,
        "isAdmin": False,
        "mustChangePassword": False,
        "isServiceAccount": False,
        "deletionDueAt": None,
        "roles": ["editor"],
    }
