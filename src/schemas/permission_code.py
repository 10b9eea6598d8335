from uuid import UUID

from src.schemas.base import BaseSchema


class PermissionCodeResponse(BaseSchema):
    """A permission code, and the route or event that it grants; declared permissions have the method `PERMISSION`."""

    id: UUID
    name: str
    description: str
    path: str
    methods: list[str]
    code: str
    tags: list[str]
