from datetime import datetime
from typing import ClassVar

from src.schemas.auth import Ciphertext, KeyId
from src.schemas.base import BaseRequest, BaseSchema


class DeletionRequest(BaseRequest):
    """The password of the current user, encrypted as for the login; empty if the account has none."""

    password: Ciphertext | None = None
    kid: KeyId | None = None

    EXAMPLE: ClassVar = {"password": "correct horse battery staple", "kid": "current"}


class DeletionResponse(BaseSchema):
    """When the account will be deleted."""

    due_at: datetime
    """Until then, the user can log in and cancel it."""
