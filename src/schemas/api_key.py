from datetime import datetime
from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import AfterValidator, Field

from src.core.security.api_key import parse_network
from src.schemas.base import BaseRequest, SafeStr, UtcDatetime
from src.schemas.list_params import PageQuery, SortBy
from src.schemas.response import BaseResponse
from src.schemas.role import Permission
from src.schemas.user import Name, RoleCodes, Username

DAY_SECONDS = 86_400


def _network(value: str) -> str:
    try:
        return str(parse_network(value))
    except ValueError as error:
        raise ValueError("is neither an IP address nor a network such as 192.0.2.0/24") from error


Network = Annotated[SafeStr, Field(max_length=64), AfterValidator(_network)]


class ApiKeyCreate(BaseRequest):
    """A new API key."""

    name: Annotated[SafeStr, Field(min_length=1, max_length=64)]
    """What the key is for."""
    codes: Annotated[list[Permission], Field(min_length=1, max_length=1000)]
    """Permission codes; those that the owner does not hold, or no longer, grant nothing."""
    expires_at: UtcDatetime | None = None
    """A time in the future; without, the key does not expire."""
    addresses: Annotated[list[Network], Field(max_length=100)] = Field(default_factory=list)
    """IP addresses and networks that requests may come from; any if there is none."""
    user_id: UUID | None = None
    """A service account, whose key it becomes; by default it is the caller's own."""

    EXAMPLE: ClassVar = {
        "name": "Nightly import",
        "codes": ["GET:/api/v1/notices"],
        "expiresAt": "2100-01-01T00:00:00Z",
        "addresses": ["192.0.2.0/24"],
    }


class ApiKeyRotate(BaseRequest):
    """A rotation: a new key in place of the current one, with the same codes and addresses."""

    overlap_seconds: Annotated[int, Field(ge=0, le=30 * DAY_SECONDS)] = DAY_SECONDS
    """For how long the current key is accepted as well; 0 ends it at once."""
    expires_at: UtcDatetime | None = None
    """When the new key expires; without, as the current one."""

    EXAMPLE: ClassVar = {"overlapSeconds": 3600}


class ApiKeyQuery(PageQuery):
    """Filters of the list of API keys."""

    sort: Annotated[SafeStr, SortBy("create_time")] = ""
    user_id: UUID | None = None
    """Only keys of this user or service account."""


class ApiKeyResponse(BaseResponse):
    """An API key, without the key itself."""

    user_id: UUID
    """The user or service account in whose name requests are made."""
    name: str
    """What the key is for."""
    start: str
    """The first characters of the key, to recognise it."""
    codes: list[str]
    """Permission codes; those that the owner does not hold, or no longer, grant nothing."""
    addresses: list[str]
    """IP addresses and networks that requests may come from; any if there is none."""
    expires_at: datetime | None
    """When it expires; null for never."""
    previous_expires_at: datetime | None
    """Until when the key before the last rotation is accepted as well; null if it was never rotated."""
    last_used_at: datetime | None
    """When it was last used, to within `PERMISSION_CACHE_SECONDS`; null for never."""

    EXAMPLE: ClassVar = {
        "name": "Nightly import",
        "start": "ak_1f8a09c4",
        "codes": ["GET:/api/v1/notices"],
        "addresses": ["192.0.2.0/24"],
    }


class ApiKeyCreated(ApiKeyResponse):
    """An API key, with the key itself: this is the only response that has it."""

    key: str
    """Send it as `Authorization: Bearer`."""

    EXAMPLE: ClassVar = {
        **ApiKeyResponse.EXAMPLE,
        "key": "ak_1f8a09c4d7e26b53f08c94a1b67d2e3f5a0918c7d6e4b32f1a08c9d7e6b5a4f3",
    }


class ServiceAccountCreate(BaseRequest):
    """A new service account: it cannot log in, and is used by its API keys alone."""

    name: Name
    """The name that others see."""
    username: Username
    """Names the account; upper and lower case are not distinguished."""
    roles: RoleCodes = Field(default_factory=list)
    """Codes of the account's roles."""

    EXAMPLE: ClassVar = {"name": "Nightly import", "username": "nightly-import", "roles": []}
