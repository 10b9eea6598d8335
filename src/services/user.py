from collections.abc import Sequence
from uuid import UUID

from src.core.query import PageRequest
from src.core.unit_of_work import UnitOfWork
from src.crud.user import UserCRUD
from src.models.user import User
from src.schemas.user import RegisterRequest
from src.services.password import PasswordService
from src.utils.password import hash_password


class UserService:
    """Lists users, registers accounts, and creates the initial administrator."""

    def __init__(self, uow: UnitOfWork) -> None:
        self.users = UserCRUD(uow.session)

    async def page(self, query: PageRequest) -> tuple[Sequence[User], int | None]:
        """One page of the users, and the total if the query asks for it."""
        return await self.users.page(query)

    async def get(self, user_id: UUID) -> User:
        """One user.

        Raises:
            NotFoundError: The user does not exist.
        """
        return await self.users.get(user_id)

    async def role_codes(self, users: Sequence[User]) -> dict[UUID, list[str]]:
        """The codes of each user's roles, enabled or not."""
        return await self.users.role_codes([user.id for user in users])

    async def register(self, data: RegisterRequest, passwords: PasswordService) -> User:
        """Create an account without roles, for the person who registers.

        Raises:
            ConflictError: The username or the email address is taken.
            InvalidInputError: The password is too weak.
        """
        hashed = await passwords.hash_new("password", data.password, data.kid)
        return await self.users.create(data.model_dump(exclude={"password", "kid"}) | {"password_hash": hashed})

    async def create_initial_admin(self, password: str, *, must_change_password: bool) -> bool:
        """Create the user `admin` unless there is an administrator; returns whether it did."""
        return await self.users.create_unless_admin_exists(
            User(
                name="Administrator",
                email="admin@example.com",
                username="admin",
                password_hash=hash_password(password),
                is_admin=True,
                must_change_password=must_change_password,
            )
        )
