from datetime import datetime

from src.schemas.base import BaseSchema


class SessionResponse(BaseSchema):
    """A login session of the current user."""

    id: str
    created_at: datetime
    expires_at: datetime
    user_agent: str
    address: str
    current: bool
