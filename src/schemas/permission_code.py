from uuid import UUID

from src.schemas.base import BaseSchema


class PermissionCodeResponse(BaseSchema):
    """One grantable thing, as the role editor lists it."""

    id: UUID
    name: str
    description: str
    path: str
    methods: list[str]
    code: str
    tags: list[str]
