from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import Field

from src.schemas.base import BaseRequest, BaseSchema, SafeStr


class ClientQuery(BaseRequest):
    """Filters of the connected clients."""

    user_id: UUID | None = None
    """Only connections of this user."""
    room: Annotated[SafeStr, Field(max_length=200, examples=["chat:lobby"])] | None = None
    """Only connections in this room."""


class ConnectedClient(BaseSchema):
    """A Socket.IO connection."""

    id: str
    """The connection's id; a client that connects again has another one."""
    user_id: UUID | None
    """The user."""
    username: str | None
    """The user's name for the login; null if the user was deleted just now."""
    session_id: str | None
    """The login session that it belongs to."""
    rooms: list[str]
    """The rooms that it is in, such as `chat:lobby`, besides those of its user and session."""
    process: str
    """The API process that it is connected to."""

    EXAMPLE: ClassVar = {
        "id": "q1w2e3r4t5y6u7i8o9p0",
        "username": "ada",
        "sessionId": "p0o9i8u7y6t5r4e3w2q1",
        "rooms": ["chat:lobby", "ops"],
        "process": "5f0c1d2e",
    }


class ConnectedClients(BaseSchema):
    """The clients that are connected to all API processes."""

    records: list[ConnectedClient]
    """By username; at most 1,000."""
    total: int
    """How many there are."""
    missing: int
    """How many processes did not answer within a second: their clients are left out."""

    EXAMPLE: ClassVar = {"total": 1, "missing": 0}
