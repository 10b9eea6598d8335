from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import col

from src.models.user import User


@dataclass(frozen=True, slots=True)
class Account:
    """What decides whether somebody gets in."""

    id: UUID
    password_hash: str
    status: bool


_BY_USERNAME = select(col(User.id), col(User.password_hash), col(User.status)).where(
    col(User.username) == bindparam("username")
)


class LoginCRUD:
    """Looks accounts up for a login, without a transaction and without objects that follow their rows."""

    def __init__(self, connection: AsyncConnection) -> None:
        self.connection = connection

    async def find(self, username: str) -> Account | None:
        """The account with exactly this name, or None."""
        row = (await self.connection.execute(_BY_USERNAME, {"username": username})).first()
        return None if row is None else Account(*row)
