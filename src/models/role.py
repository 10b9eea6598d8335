from sqlalchemy import ARRAY, Text
from sqlmodel import Field

from src.models.base import BaseModel
from src.models.mixins import Versioned


class Role(Versioned, BaseModel, table=True):
    """A named set of permissions; a disabled role grants nothing.

    Interface permissions are the permission codes that the backend checks (`GET:/api/v1/notices`, `SOCKET:chat.send`).
    Button and router permissions are opaque to the backend; frontends define their meaning.
    """

    __tablename__ = "roles"

    name: str = Field(max_length=64)
    description: str = Field(default="", max_length=255)
    code: str = Field(max_length=64, unique=True)
    status: bool = Field(default=True)
    interface_permissions: list[str] = Field(default_factory=list, sa_type=ARRAY(Text))
    button_permissions: list[str] = Field(default_factory=list, sa_type=ARRAY(Text))
    router_permissions: list[str] = Field(default_factory=list, sa_type=ARRAY(Text))
