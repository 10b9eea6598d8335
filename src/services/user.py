from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from src.core.exceptions import ConflictError
from src.core.list_filters import PageRequest
from src.core.realtime.rooms import user_room
from src.core.resources import Resources
from src.core.unit_of_work import UnitOfWork
from src.crud.role import RoleCRUD
from src.crud.user import UserCRUD
from src.models.role import Role
from src.models.user import User
from src.schemas.user import RegisterRequest
from src.services.email import EmailService
from src.services.password import PasswordService
from src.services.permission import PermissionService
from src.services.session import SessionService
from src.utils.language import Language
from src.utils.password import hash_password


class UserService:
    """Lists and registers users; base of the services that change them."""

    def __init__(self, uow: UnitOfWork, resources: Resources) -> None:
        self.uow = uow
        self.resources = resources
        self.users = UserCRUD(uow.session)
        self.roles = RoleCRUD(uow.session)
        self.passwords = PasswordService(resources)
        self.permissions = PermissionService(resources)
        self.sessions = SessionService(resources)
        self.emails = EmailService(uow, resources)

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

    async def register(self, data: RegisterRequest, language: Language | None = None) -> User:
        """Create a user without roles, for the person who registers.

        Where e-mail is configured, an address is not told to be taken: until somebody confirms it, it is nobody's.

        Raises:
            ConflictError: The username is taken, or, without e-mail, the address.
            InvalidInputError: The password is too weak.
        """
        hashed = await self.passwords.hash_new("password", data.password, data.kid)
        fields = {"email_pending": self.emails.enabled, "language": language}
        user = await self.insert(data.model_dump(exclude={"password", "kid"}) | fields, hashed)
        self.emails.send_verification(user.id, language)
        return user

    async def insert(self, fields: Mapping[str, Any], password_hash: str, roles: Sequence[Role] = ()) -> User:
        """Insert a user with these roles.

        Raises:
            ConflictError: The username or the email address is taken.
        """
        user = await self.users.create({**fields, "password_hash": password_hash})
        if roles:
            await self.users.replace_roles(user.id, [role.id for role in roles])
        return user

    async def replace_password(
        self, user: User, password_hash: str, *, must_change: bool | None = None, except_session: str | None = None
    ) -> User:
        """Change a user's password, end their sessions, and tell them by e-mail.

        `must_change_password` is kept if `must_change` is None.

        Raises:
            ConflictError: It is a service account.
        """
        require_person(user)
        changes: dict[str, Any] = {"password_hash": password_hash}
        if must_change is not None:
            changes["must_change_password"] = must_change
            self.permissions.invalidate_user(self.uow, user.id)
        self.sessions.end_on_commit(self.uow, user.id, except_session=except_session)
        self.emails.send_notice(user.id, "password_changed")
        return await self.users.update(user, changes)

    def reload_permissions(self, user: User) -> None:
        """After the commit, read the user's permissions anew, also for their sockets, which are disconnected."""
        self.permissions.invalidate_user(self.uow, user.id)
        self.uow.disconnect(user_room(user.id))

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


def require_person(user: User) -> None:
    """Check that the user is no service account.

    Raises:
        ConflictError: It is.
    """
    if user.is_service_account:
        raise ConflictError(
            "A service account has no password, and cannot be an administrator.", error="user.service_account"
        )
