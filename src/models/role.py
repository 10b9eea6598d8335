from sqlalchemy import ARRAY, Index, Text, false
from sqlmodel import Field

from src.models.base import BaseModel
from src.models.mixins import Versioned
from src.models.search_index import search_index


class Role(Versioned, BaseModel, table=True):
    """A named set of permissions; a disabled role grants nothing.

    Interface permissions are the permission codes that the backend checks (`GET:/api/v1/notices`, `SOCKET:chat.send`).
    Button and router permissions are opaque to the backend; frontends define their meaning.

    Attributes:
        requires_factor: Who has the role holds nothing in a login session until they have added a second factor.
    """

    __tablename__ = "roles"
    # One index for each filter and order of `GET /roles`.
    __table_args__ = (
        Index("ix_roles_create_time_id", "create_time", "id"),
        Index("ix_roles_update_time_id", "update_time", "id"),
        Index("ix_roles_name_id", "name", "id"),
        Index("ix_roles_status_id", "status", "id"),
        search_index("roles", "name", "code", "description"),
    )

    name: str = Field(max_length=64)
    description: str = Field(default="", max_length=255)
    code: str = Field(max_length=64, unique=True)
    status: bool = Field(default=True)
    interface_permissions: list[str] = Field(default_factory=list, sa_type=ARRAY(Text))
    button_permissions: list[str] = Field(default_factory=list, sa_type=ARRAY(Text))
    router_permissions: list[str] = Field(default_factory=list, sa_type=ARRAY(Text))
    requires_factor: bool = Field(default=False, sa_column_kwargs={"server_default": false()})

    @property
    def ui_permissions(self) -> frozenset[str]:
        """The button and router permissions, with their type as prefix."""
        buttons, routers = self.button_permissions, self.router_permissions
        return frozenset([*(f"button:{code}" for code in buttons), *(f"router:{code}" for code in routers)])

    @property
    def grants(self) -> frozenset[str]:
        """Everything that the role grants while it is enabled."""
        return self.ui_permissions.union(self.interface_permissions)
