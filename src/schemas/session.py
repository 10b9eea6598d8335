from datetime import datetime
from typing import ClassVar, Literal
from uuid import UUID

from src.schemas.base import BaseSchema


class ActingUser(BaseSchema):
    """An administrator who acts as a user."""

    id: UUID
    """The administrator's id."""
    username: str
    """The administrator's username."""

    EXAMPLE: ClassVar = {"username": "admin"}


class SessionResponse(BaseSchema):
    """A login session, or one in which an administrator acts as the user."""

    id: str
    """The session's id."""
    created_at: datetime
    """When the user logged in."""
    expires_at: datetime
    """When it ends unless the tokens are refreshed."""
    last_used_at: datetime
    """When its tokens were last refreshed, or the time of the login."""
    device_name: str
    """Program and system by the `User-Agent`, such as `Firefox on Windows`; empty if it names neither."""
    device_id: str | None
    """The device, as `GET /auth/devices` lists it; null for sessions from before it was recorded."""
    user_agent: str
    """`User-Agent` header of the client."""
    address: str
    """IP address of the client at login."""
    acted_by: ActingUser | None
    """The administrator who acts as the user in this session; null for the user's own."""
    current: bool
    """Whether this request belongs to it."""

    EXAMPLE: ClassVar = {
        "id": "q1w2e3r4t5y6u7i8o9p0",
        "deviceName": "Firefox on Windows",
        "deviceId": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "userAgent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0",
        "address": "192.0.2.1",
        "actedBy": None,
    }


class ActAsResponse(BaseSchema):
    """An access token with which the caller acts as a user. There is no refresh token."""

    access_token: str
    """Send it as `Authorization: Bearer`, and end it with `POST /auth/logout`."""
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 - the scheme's name
    """The scheme of the `Authorization` header."""
    expires_in: int
    """Seconds until it expires."""

    EXAMPLE: ClassVar = {"accessToken": "eyJhbGciOiJIUzI1NiJ9.e30.c2ln", "expiresIn": 900}


class DeviceResponse(BaseSchema):
    """A device that is remembered from a login, whether or not it is logged in."""

    id: str
    """The device's id."""
    name: str
    """Program and system by the `User-Agent`, such as `Firefox on Windows`; empty if it names neither."""
    user_agent: str
    """`User-Agent` header of its last login."""
    address: str
    """IP address of its last login."""
    last_login_at: datetime
    """When it last logged in."""
    remembered_until: datetime
    """When it is forgotten unless it logs in again."""
    sessions: int
    """How many sessions it has; 0 if it is logged out."""
    current: bool
    """Whether this request comes from it."""

    EXAMPLE: ClassVar = {
        "id": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "name": "Firefox on Windows",
        "userAgent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0",
        "address": "192.0.2.1",
        "sessions": 1,
    }
