"""The Socket.IO rooms that every authenticated connection is in."""

from uuid import UUID


def user_room(user_id: UUID) -> str:
    """The room of all connections of a user."""
    return f"user:{user_id}"


def session_room(session_id: str) -> str:
    """The room of all connections of a login session."""
    return f"session:{session_id}"
