from typing import ClassVar
from uuid import UUID

from src.schemas.base import BaseSchema


class PermissionCodeResponse(BaseSchema):
    """A permission code, and the route or event that it grants; declared permissions have the method `PERMISSION`."""

    id: UUID
    """Id of the code."""
    name: str
    """Name of the route's function, or of the event."""
    description: str
    """What the route or event does."""
    path: str
    """Path template of the route, or name of the event."""
    methods: list[str]
    """The method, or `SOCKET`; always one."""
    code: str
    """What roles list to grant it."""
    tags: list[str]
    """Groups of the route in this document."""

    EXAMPLE: ClassVar = {
        "name": "list_notices",
        "description": "List the newest published notices, at most 100.",
        "path": "/api/v1/notices",
        "methods": ["GET"],
        "code": "GET:/api/v1/notices",
        "tags": ["Notice"],
    }
