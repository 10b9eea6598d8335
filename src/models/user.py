from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime, ForeignKey, Index, event, false, func, text
from sqlmodel import Field, SQLModel

from src.models.base import BaseModel
from src.models.search_index import search_index
from src.utils.username import canonical_username


class User(BaseModel, table=True):
    """A user account; administrators hold every permission.

    Attributes:
        is_service_account: A machine's account: it has no password and no sessions, and is used by its API keys alone.
        email_verified_at: When the user last showed that they read the e-mails to this address; None if never.
        email_pending: The user typed the address at registration and has not shown that it is theirs. Until then it
            keeps nobody else from using it, and gets no e-mail but the one to confirm it.
        deletion_due_at: When the account is deleted, as its user has asked; None if they have not.
        language: What e-mails are written in; None: the language of the request that causes one.
        username_key: The username as it is compared: in NFKC, without case. Set when a row is written.
    """

    __tablename__ = "users"
    # One index for each filter and order of `GET /users`.
    __table_args__ = (
        Index("ix_users_create_time_id", "create_time", "id"),
        Index("ix_users_update_time_id", "update_time", "id"),
        Index("ix_users_name_id", "name", "id"),
        Index("ix_users_username_id", "username", "id"),
        Index("ix_users_email_id", "email", "id"),
        Index("ix_users_status_id", "status", "id"),
        Index("ix_users_admins", "id", postgresql_where=text("is_admin")),
        Index("ix_users_service_accounts", "id", postgresql_where=text("is_service_account")),
        Index("ix_users_deletion_due_at", "deletion_due_at", postgresql_where=text("deletion_due_at IS NOT NULL")),
        search_index("users", "name", "username", "email"),
    )

    name: str = Field(max_length=64)
    email: str = Field(max_length=254)
    username: str = Field(max_length=64)
    username_key: str = Field(default=None, nullable=False, max_length=255, unique=True)
    password_hash: str = Field(max_length=255)
    status: bool = Field(default=True)
    is_admin: bool = Field(default=False)
    must_change_password: bool = Field(default=False)
    is_service_account: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    email_verified_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
    email_pending: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    language: str | None = Field(default=None, max_length=8)
    deletion_due_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))


@event.listens_for(User, "before_insert")
@event.listens_for(User, "before_update")
def _set_username_key(_mapper: object, _connection: object, user: User) -> None:
    # A trigger does it for rows that are written with SQL.
    user.username_key = canonical_username(user.username)


# Email addresses are unique regardless of case, once they are somebody's.
Index("uq_users_email_lower", func.lower(User.email), unique=True, postgresql_where=text("NOT email_pending"))


class UserRole(SQLModel, table=True):
    """A role of a user."""

    __tablename__ = "user_roles"

    user_id: UUID = Field(primary_key=True, sa_column_args=[ForeignKey("users.id", ondelete="CASCADE")])
    role_id: UUID = Field(primary_key=True, index=True, sa_column_args=[ForeignKey("roles.id", ondelete="CASCADE")])
