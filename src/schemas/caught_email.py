from datetime import datetime
from typing import ClassVar

from src.schemas.base import BaseSchema


class CaughtEmailResponse(BaseSchema):
    """An e-mail that the mail server for development has kept."""

    id: str
    """Its number: the newest has the highest."""
    received_at: datetime
    """When it arrived."""
    to: str
    """Whom it is for, as it says itself."""
    subject: str
    """Its subject."""
    text: str
    """Its text, or the source of its HTML if it has none; at most 20,000 characters, and `…` if there are more."""
    problem: str | None
    """Why it cannot be read; `text` is all of it then."""

    EXAMPLE: ClassVar = {
        "id": "12",
        "to": "ada@example.com",
        "subject": "Set a new password",
        "text": "Set a new password: http://localhost:5173/reset-password#token=kq3tq0yB6cXn1oUuK2dMhWfE9v5d41402",
        "problem": None,
    }
