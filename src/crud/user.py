from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import ClassVar
from uuid import UUID

from sqlalchemy import and_, func, or_
from sqlmodel import col, delete, select
from typing_extensions import override

from src.core.exceptions import ConflictError
from src.core.stores.sql import AdvisoryLock
from src.crud.crud_sqlmodel import BaseSQLModelCRUD
from src.models.role import Role
from src.models.user import User, UserRole
from src.utils.username import canonical_username


class UserCRUD(BaseSQLModelCRUD[User]):
    """Users and their roles. A username or an email address that is taken raises `ConflictError` `user.taken`."""

    model: ClassVar[type[User]] = User

    async def find_by_email(self, email: str) -> User | None:
        """The person whose address this is, regardless of case; not those who only typed it at registration."""
        owner = select(User).where(func.lower(User.email) == email.lower(), col(User.email_pending).is_(False))
        return (await self.session.exec(owner.where(col(User.is_service_account).is_(False)))).one_or_none()

    async def roles(self, user_id: UUID) -> Sequence[Role]:
        """All of the user's roles, enabled or not, by code."""
        held = select(Role).join(UserRole, col(UserRole.role_id) == Role.id).where(UserRole.user_id == user_id)
        return (await self.session.exec(held.order_by(Role.code))).all()

    async def enabled_roles(self, user_id: UUID) -> Sequence[Role]:
        """The user's enabled roles, by code."""
        return [role for role in await self.roles(user_id) if role.status]

    async def active_with_roles(self, user_ids: Collection[UUID]) -> Sequence[tuple[User, Sequence[Role]]]:
        """Those of the users who are enabled and need not change their password first, with their enabled roles."""
        pairs = (
            select(User, Role)
            .outerjoin(UserRole, col(UserRole.user_id) == User.id)
            .outerjoin(Role, and_(col(Role.id) == UserRole.role_id, col(Role.status).is_(True)))
            .where(col(User.id).in_(user_ids), col(User.status).is_(True), col(User.must_change_password).is_(False))
        )
        roles: dict[UUID, tuple[User, list[Role]]] = {}
        for user, role in (await self.session.exec(pairs)).all():
            held = roles.setdefault(user.id, (user, []))[1]
            if role is not None:
                held.append(role)
        return list(roles.values())

    async def role_codes(self, user_ids: Sequence[UUID]) -> dict[UUID, list[str]]:
        """The codes of each user's roles, enabled or not."""
        pairs = select(UserRole.user_id, Role.code).join(Role, col(UserRole.role_id) == Role.id)
        pairs = pairs.where(col(UserRole.user_id).in_(user_ids)).order_by(Role.code)
        codes: dict[UUID, list[str]] = {user_id: [] for user_id in user_ids}
        for user_id, code in (await self.session.exec(pairs)).all():
            codes[user_id].append(code)
        return codes

    async def holders(self, role_ids: Sequence[UUID]) -> Sequence[UUID]:
        """The ids of the users who have any of these roles."""
        user_ids = select(UserRole.user_id).where(col(UserRole.role_id).in_(role_ids)).distinct()
        return (await self.session.exec(user_ids)).all()

    async def replace_roles(self, user_id: UUID, role_ids: Sequence[UUID]) -> None:
        """Give the user exactly these roles."""
        await self.session.exec(delete(UserRole).where(col(UserRole.user_id) == user_id))
        self.session.add_all([UserRole(user_id=user_id, role_id=role_id) for role_id in role_ids])
        await self.session.flush()

    async def lock(self, user_id: UUID) -> None:
        """Lock a user's row until the transaction ends, so that what the user creates at once is counted one by one."""
        await self.session.exec(select(User.id).where(User.id == user_id).with_for_update(key_share=True))

    async def due_for_deletion(self, now: datetime, limit: int, skip: Collection[UUID]) -> Sequence[UUID]:
        """The ids of up to `limit` enabled users whose accounts are to be deleted by now, the longest due first."""
        due = select(User.id).where(col(User.deletion_due_at) <= now, col(User.status).is_(True))
        due = due.where(col(User.id).not_in(skip)).order_by(col(User.deletion_due_at)).limit(limit)
        return (await self.session.exec(due)).all()

    async def lock_due_for_deletion(self, user_id: UUID, now: datetime) -> User | None:
        """The user, locked, if the account is still to be deleted and nobody else is doing it."""
        due = select(User).where(User.id == user_id, col(User.deletion_due_at) <= now, col(User.status).is_(True))
        return (await self.session.exec(due.with_for_update(skip_locked=True))).one_or_none()

    async def lock_admins(self) -> Sequence[User]:
        """The enabled administrators, locked until the transaction ends, so that two cannot remove each other."""
        admins = select(User).where(col(User.is_admin).is_(True), col(User.status).is_(True)).order_by(col(User.id))
        return (await self.session.exec(admins.with_for_update())).all()

    async def create_unless_admin_exists(self, user: User) -> bool:
        """Insert the user unless an administrator, or a user of the same name, exists; returns whether it did."""
        # If two deployments run this at once, the second waits here and then finds the user of the first.
        await self.session.exec(select(func.pg_advisory_xact_lock(AdvisoryLock.INITIAL_ADMIN)))
        taken = or_(col(User.is_admin).is_(True), col(User.username_key) == canonical_username(user.username))
        if (await self.session.exec(select(User.id).where(taken).limit(1))).first() is not None:
            return False
        self.session.add(user)
        await self.session.flush()
        return True

    @override
    @asynccontextmanager
    async def _writing(self, version: int | None = None) -> AsyncIterator[None]:
        try:
            async with super()._writing(version):
                yield
        except ConflictError as error:
            if error.data is None:  # the user was deleted meanwhile
                raise
            message = "The username or the email address is taken."
            data = [{**taken, "field": taken["field"].removesuffix("Key")} for taken in error.data]  # usernameKey
            raise ConflictError(message, error="user.taken", data=data) from error
