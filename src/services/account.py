from src.core.effects import user_room
from src.core.exceptions import ConflictError, NotFoundError
from src.core.resources import Resources
from src.core.unit_of_work import UnitOfWork
from src.crud.role import RoleCRUD
from src.crud.user import UserCRUD
from src.models.user import User
from src.schemas.user import AccountCreate
from src.services.password import PasswordService
from src.services.permission import PermissionService
from src.services.session import SessionService


class AccountService:
    """Administration of accounts on the server, by username and with plain-text passwords.

    Permissions are not checked, since an operator has access to the database anyway. Every method except `create`
    raises `NotFoundError` for an unknown username.
    """

    def __init__(self, uow: UnitOfWork, resources: Resources) -> None:
        self.uow = uow
        self.throttle = resources.throttle
        self.users = UserCRUD(uow.session)
        self.roles = RoleCRUD(uow.session)
        self.passwords = PasswordService(resources)
        self.permissions = PermissionService(resources)
        self.sessions = SessionService(resources)

    async def create(self, data: AccountCreate, password: str, *, must_change_password: bool = False) -> User:
        """Create an account.

        Raises:
            ConflictError: The username or the email address is taken.
            InvalidInputError: The password is too weak, or a role does not exist.
        """
        roles = await self.roles.require_codes(data.roles)
        hashed = await self.passwords.hash_plain("password", password)
        secret = {"password_hash": hashed, "must_change_password": must_change_password}
        user = await self.users.create(data.model_dump(exclude={"roles"}) | secret)
        await self.users.replace_roles(user.id, [role.id for role in roles])
        return user

    async def promote(self, username: str) -> User:
        """Make the user an administrator.

        Raises:
            ConflictError: The user is an administrator already, or is disabled.
        """
        user = await self._get(username)
        if user.is_admin:
            raise ConflictError(f"{username} is an administrator already.")
        if not user.status:
            raise ConflictError(f"{username} is disabled: enable the account first.")
        user.is_admin = True
        self.permissions.invalidate_user(self.uow, user.id)
        self.uow.disconnect(user_room(user.id))
        return user

    async def set_password(self, username: str, password: str, *, must_change_password: bool = False) -> User:
        """Set the password, and end all of the user's sessions.

        Raises:
            InvalidInputError: The password is too weak.
        """
        user = await self._get(username)
        user.password_hash = await self.passwords.hash_plain("password", password)
        user.must_change_password = must_change_password
        self.permissions.invalidate_user(self.uow, user.id)
        self.sessions.end_on_commit(self.uow, user.id)
        return user

    async def unlock(self, username: str) -> tuple[User, bool]:
        """Reset the account's failed logins; returns the user, and whether there were any."""
        user = await self._get(username)
        return user, await self.throttle.reset(username)

    async def _get(self, username: str) -> User:
        users = await self.users.list({"username": username})
        if not users:
            raise NotFoundError(f"There is no user {username!r}.")
        return users[0]
