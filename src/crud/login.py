from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import bindparam, exists, select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import col

from src.models.user import User
from src.models.user_factor import UserFactor
from src.utils.username import canonical_username


@dataclass(frozen=True, slots=True)
class LoginUser:
    """The columns of a user that a login needs."""

    id: UUID
    password_hash: str
    status: bool
    has_factor: bool


_HAS_FACTOR = exists().where(col(UserFactor.user_id) == col(User.id))
# Service accounts, and people who only log in with a provider, have no password: for a login they do not exist.
_BY_USERNAME = select(col(User.id), col(User.password_hash), col(User.status), _HAS_FACTOR).where(
    col(User.username_key) == bindparam("key"), col(User.is_service_account).is_(False), col(User.password_hash) != ""
)


class LoginCRUD:
    """Finds the user who logs in, without a transaction and without ORM objects."""

    def __init__(self, connection: AsyncConnection) -> None:
        self.connection = connection

    async def find(self, username: str) -> LoginUser | None:
        """The user with this username, or None."""
        row = (await self.connection.execute(_BY_USERNAME, {"key": canonical_username(username)})).first()
        return None if row is None else LoginUser(*row)
