from uuid import UUID

from sqlalchemy import ForeignKey, Index, func
from sqlmodel import Field, SQLModel

from src.models.base import BaseModel


class User(BaseModel, table=True):
    """Somebody who can log in; an administrator holds every permission."""

    __tablename__ = "users"

    name: str = Field(max_length=64)
    email: str = Field(max_length=254)
    username: str = Field(max_length=64, unique=True)
    password_hash: str = Field(max_length=255)
    status: bool = Field(default=True)
    is_admin: bool = Field(default=False)
    must_change_password: bool = Field(default=False)


# Addresses differ in case only by accident: one account each.
Index("uq_users_email_lower", func.lower(User.email), unique=True)


class UserRole(SQLModel, table=True):
    """Which roles a user has."""

    __tablename__ = "user_roles"

    user_id: UUID = Field(primary_key=True, sa_column_args=[ForeignKey("users.id", ondelete="CASCADE")])
    role_id: UUID = Field(primary_key=True, index=True, sa_column_args=[ForeignKey("roles.id", ondelete="CASCADE")])
