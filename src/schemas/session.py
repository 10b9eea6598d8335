from datetime import datetime
from typing import ClassVar

from src.schemas.base import BaseSchema


class SessionResponse(BaseSchema):
    """A login session."""

    id: str
    """The session's id."""
    created_at: datetime
    """When the user logged in."""
    expires_at: datetime
    """When it ends unless the tokens are refreshed."""
    user_agent: str
    """`User-Agent` header of the client."""
    address: str
    """IP address of the client at login."""
    current: bool
    """Whether this request belongs to it."""

    EXAMPLE: ClassVar = {"id": "q1w2e3r4t5y6u7i8o9p0", "userAgent": "Mozilla/5.0", "address": "192.0.2.1"}
