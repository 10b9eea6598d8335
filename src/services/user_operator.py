from src.core.exceptions import ConflictError, NotFoundError
from src.models.user import User
from src.schemas.user import OperatorUserCreate
from src.services.factor import FactorService
from src.services.user import UserService, require_person
from src.utils.username import canonical_username


class UserOperatorService(UserService):
    """Administration of users on the server, by username and with plain-text passwords.

    Permissions are not checked, since an operator has access to the database anyway. Every method except `create`
    raises `NotFoundError` for an unknown username.
    """

    async def create(self, data: OperatorUserCreate, password: str, *, must_change_password: bool = False) -> User:
        """Create a user.

        Raises:
            ConflictError: The username or the email address is taken.
            InvalidInputError: The password is too weak, or a role does not exist.
        """
        roles = await self.roles.require_codes(data.roles)
        fields = data.model_dump(exclude={"roles"}) | {"must_change_password": must_change_password}
        return await self.insert(fields, await self.passwords.hash_plain("password", password), roles)

    async def promote(self, username: str) -> User:
        """Make the user an administrator.

        Raises:
            ConflictError: The user is an administrator already, is disabled, or is a service account.
        """
        user = await self._find(username)
        require_person(user)
        if user.is_admin:
            raise ConflictError(f"{username} is an administrator already.")
        if not user.status:
            raise ConflictError(f"{username} is disabled: enable the account first.")
        self.reload_permissions(user)
        return await self.users.update(user, {"is_admin": True})

    async def set_password(self, username: str, password: str, *, must_change_password: bool = False) -> User:
        """Set the password, and end all of the user's sessions.

        Raises:
            InvalidInputError: The password is too weak.
            ConflictError: It is a service account.
        """
        user = await self._find(username)
        hashed = await self.passwords.hash_plain("password", password)
        return await self.replace_password(user, hashed, must_change=must_change_password)

    async def unlock(self, username: str) -> tuple[User, bool]:
        """Reset the failed logins of the user and of the clients that tried; returns whether there were any."""
        user = await self._find(username)
        return user, await self.resources.throttle.unlock(user.username_key)

    async def reset_factors(self, username: str) -> tuple[User, int]:
        """Remove the user's second factors, and end all of their sessions; returns how many factors there were."""
        user = await self._find(username)
        self.sessions.end_on_commit(self.uow, user.id)
        return user, await FactorService(self.uow, self.resources).remove_all(user)

    async def _find(self, username: str) -> User:
        users = await self.users.list({"username_key": canonical_username(username)})
        if not users:
            raise NotFoundError(f"There is no user {username!r}.")
        return users[0]
