"""The Socket.IO rooms of the product that services emit to."""

from uuid import UUID

OPS_ROOM = "ops"
"""The room of those who watch all runs and schedules."""


def user_room(user_id: UUID) -> str:
    """The room of all connections of a user."""
    return f"user:{user_id}"


def session_room(session_id: str) -> str:
    """The room of all connections of a login session."""
    return f"session:{session_id}"
