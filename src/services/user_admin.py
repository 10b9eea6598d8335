from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from src.core.exceptions import ConflictError, NotFoundError, PermissionDeniedError
from src.crud.file import FileCRUD
from src.models.role import Role
from src.models.user import User
from src.schemas.user import UserCreate, UserUpdate
from src.services.actor import Actor
from src.services.user import UserService, require_person


class UserAdminService(UserService):
    """Administration of users; a change takes effect on the user's next request.

    Methods that take a `user_id` raise `NotFoundError` if the user does not exist, `PermissionDeniedError` if the user
    holds more permissions than the actor, and `ConflictError` if no administrator would be left.
    """

    async def create(self, data: UserCreate, actor: Actor) -> User:
        """Create a user.

        Raises:
            PermissionDeniedError: The roles grant permissions that the actor does not hold.
            ConflictError: The username or the email address is taken.
            InvalidInputError: The password is too weak, or a role does not exist.
        """
        roles = await self.get_grantable(data.roles, actor)
        if data.is_admin:
            self._require_admin(actor)
        hashed = await self.passwords.hash_new("password", data.password, data.kid)
        user = await self.insert(data.model_dump(exclude={"password", "kid", "roles"}), hashed, roles)
        self.emails.send_verification(user.id)
        return user

    async def update(self, user_id: UUID, data: UserUpdate, actor: Actor) -> User:
        """Partially update a user."""
        user = await self.get_manageable(user_id, actor)
        changes = data.changed_fields()
        if changes.get("is_admin", user.is_admin) != user.is_admin:
            require_person(user)
            self._require_admin(actor)
            await self.keep_an_admin(user)
            self.reload_permissions(user)
        if changes.get("email", user.email).lower() != user.email.lower():
            if not user.email_pending:
                self.emails.send_notice(user.id, "email_changed", to=user.email)
            self.emails.send_verification(user.id)
            changes |= {"email_verified_at": None, "email_pending": False}
        return await self.users.update(user, changes)

    async def set_status(self, user_id: UUID, status: bool, actor: Actor) -> User:
        """Enable or disable a user; disabling ends all of their sessions.

        A disabled account is not deleted, although its user has asked for it; enabling it cancels that.
        """
        user = await self.get_manageable(user_id, actor)
        if not status:
            await self.keep_an_admin(user)
            self.sessions.end_on_commit(self.uow, user.id)
        self.permissions.invalidate_user(self.uow, user.id)
        cancelled = {"deletion_due_at": None} if status and not user.status else {}
        return await self.users.update(user, {"status": status, **cancelled})

    async def set_roles(self, user_id: UUID, codes: Sequence[str], actor: Actor) -> User:
        """Give the user exactly these roles.

        Raises:
            PermissionDeniedError: The roles grant permissions that the actor does not hold.
            InvalidInputError: A role does not exist.
        """
        user = await self.get_manageable(user_id, actor)
        roles = await self.get_grantable(codes, actor)
        await self.users.replace_roles(user.id, [role.id for role in roles])
        self.reload_permissions(user)
        return user

    async def set_password(self, user_id: UUID, ciphertext: str, kid: str, actor: Actor) -> User:
        """Set a user's password, and end all of their sessions. Whether they have to change it stays as it was.

        Raises:
            InvalidInputError: The password is too weak.
        """
        user = await self.get_manageable(user_id, actor)
        return await self.replace_password(user, await self.passwords.hash_new("password", ciphertext, kid))

    async def unlock(self, user_id: UUID, actor: Actor) -> User:
        """Let a user log in again who was locked out by failed logins."""
        user = await self.get_manageable(user_id, actor)
        await self.resources.throttle.unlock(user.username_key)
        return user

    async def list_sessions(self, user_id: UUID, actor: Actor) -> list[dict[str, Any]]:
        """The user's sessions that are alive, newest first."""
        await self.get_manageable(user_id, actor)
        return await self.sessions.list(user_id)

    async def end_session(self, user_id: UUID, session_id: str, actor: Actor) -> None:
        """End one of a user's sessions.

        Raises:
            NotFoundError: The session does not exist.
        """
        await self.get_manageable(user_id, actor)
        if not await self.sessions.end_one(user_id, session_id):
            raise NotFoundError("Session not found.")

    async def end_sessions(self, user_id: UUID, actor: Actor) -> None:
        """End all of a user's sessions."""
        await self.get_manageable(user_id, actor)
        self.sessions.end_on_commit(self.uow, user_id)

    async def delete(self, user_id: UUID, actor: Actor) -> None:
        """Delete a user, and end all of their sessions."""
        user = await self.get_manageable(user_id, actor)
        await self.keep_an_admin(user)
        await self.erase(user)

    async def erase(self, user: User) -> None:
        """Delete a user with what only concerns them: sessions, devices, exports, their name in the audit log."""
        self.sessions.end_on_commit(self.uow, user.id)
        self.permissions.invalidate_user(self.uow, user.id)
        account = user.username_key
        self.uow.after_commit("forget devices", lambda: self.resources.throttle.forget(account))
        self.uow.enqueue("accounts.forget_name", user_id=str(user.id))
        await FileCRUD(self.uow.session).mark_exports_deleted(user.id)
        await self.users.delete(user)

    async def names(self, user_ids: Collection[UUID]) -> dict[UUID, str]:
        """The usernames of users that exist."""
        return {user.id: user.username for user in await self.users.list({"id__in": list(user_ids)})}

    async def get_manageable(self, user_id: UUID, actor: Actor) -> User:
        """The user, if the actor holds every permission that any of the user's roles grants, disabled ones included.

        Otherwise the actor could reset the user's password, log in as that user, and gain permissions.
        """
        user = await self.users.get(user_id)
        if user.is_admin:
            self._require_admin(actor)
        actor.require_all(await self.grants(user.id))
        return user

    async def grants(self, user_id: UUID) -> set[str]:
        """Every permission that any of the user's roles grants, disabled ones included."""
        return grants_of(await self.users.roles(user_id))

    async def get_grantable(self, codes: Sequence[str], actor: Actor) -> Sequence[Role]:
        """The roles with these codes, if the actor holds every permission that they grant.

        Raises:
            PermissionDeniedError: The actor does not.
            InvalidInputError: A role does not exist.
        """
        roles = await self.roles.require_codes(codes)
        actor.require_all(grants_of(roles))
        return roles

    async def keep_an_admin(self, leaving: User) -> None:
        """Check that another administrator stays if this user leaves.

        Raises:
            ConflictError: There is none.
        """
        if leaving.is_admin and leaving.status and len(await self.users.lock_admins()) < 2:
            raise ConflictError("The last administrator cannot be removed.", error="user.last_admin")

    def _require_admin(self, actor: Actor) -> None:
        if not actor.is_admin:
            raise PermissionDeniedError(
                "Only administrators can manage administrators.", error="auth.not_yours_to_rule"
            )


def grants_of(roles: Sequence[Role]) -> set[str]:
    """The permission codes that these roles grant together."""
    return {permission for role in roles for permission in role.grants}
