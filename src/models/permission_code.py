from sqlalchemy import ARRAY, Text
from sqlmodel import Field

from src.models.base import BaseModel


class PermissionCode(BaseModel, table=True):
    """A permission that roles can grant: one method and path of a route, one Socket.IO event, or a declared one."""

    __tablename__ = "routes"

    code: str = Field(sa_type=Text, unique=True)
    name: str = Field(sa_type=Text)
    description: str = Field(default="", sa_type=Text)
    path: str = Field(sa_type=Text)
    methods: list[str] = Field(sa_type=ARRAY(Text))
    tags: list[str] = Field(default_factory=list, sa_type=ARRAY(Text))
