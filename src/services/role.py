from collections.abc import Sequence
from uuid import UUID

from src.core.effects import user_room
from src.core.exceptions import ConflictError, InvalidInputError, NotFoundError
from src.core.query import PageRequest
from src.core.unit_of_work import UnitOfWork
from src.crud.role import RoleCRUD
from src.crud.user import UserCRUD
from src.models.role import Role
from src.schemas.role import RoleCreate, RoleResponse, RoleUpdate
from src.services.actor import Actor
from src.services.permission import PermissionService


class RoleService:
    """Keeps roles; every change bites on the next request of everybody who has the role."""

    def __init__(self, uow: UnitOfWork, permissions: PermissionService) -> None:
        self.uow = uow
        self.permissions = permissions
        self.roles = RoleCRUD(uow.session)
        self.users = UserCRUD(uow.session)

    async def page(self, query: PageRequest) -> tuple[Sequence[RoleResponse], int | None]:
        """One page of the roles, and how many there are, if the query asks."""
        return await self.roles.project(RoleResponse).page(query)

    async def list(self) -> Sequence[RoleResponse]:
        """All roles, oldest first."""
        return await self.roles.project(RoleResponse).list()

    async def list_of(self, user_id: UUID) -> Sequence[Role]:
        """The user's roles that count."""
        return await self.users.enabled_roles(user_id)

    async def get(self, role_id: UUID) -> Role:
        """One role.

        Raises:
            NotFoundError: There is none.
        """
        return await self.roles.get(role_id)

    async def create(self, data: RoleCreate, actor: Actor) -> Role:
        """Add a role.

        Raises:
            PermissionDeniedError: It holds a code that the actor does not.
            ConflictError: The code is taken.
        """
        actor.require_all(set(data.interface_permissions))
        if await self.roles.by_codes([data.code]):
            raise ConflictError("There is a role with this code.", data={"code": data.code})
        return await self.roles.create(data.model_dump())

    async def update(self, role_id: UUID, data: RoleUpdate, actor: Actor, *, version: int | None = None) -> Role:
        """Change what is given, unless the actor has seen another version; None stands for any.

        Raises:
            NotFoundError: There is no such role.
            InvalidInputError: The code would change.
            PermissionDeniedError: The role would grant a code that it did not grant before and the actor does not hold.
            PreconditionFailedError: It has another version.
            ConflictError: Somebody else changed it at the same moment.
        """
        role = await self.roles.get(role_id)
        if data.code not in (None, role.code):
            raise InvalidInputError("code", "The code of a role never changes.")
        before = set(role.interface_permissions) if role.status else set()
        await self.roles.update(role, data.changed_fields(), version=version)
        after = set(role.interface_permissions) if role.status else set()
        actor.require_all(after - before)
        self.permissions.invalidate_all(self.uow)
        if before - after:
            await self._disconnect_holders([role.id])
        return role

    async def delete(self, role_ids: Sequence[UUID]) -> None:
        """Remove roles, from whoever has them too: all of the ids or none.

        Raises:
            NotFoundError: With the ids that name no role, as `data`.
        """
        roles = await self.roles.by_ids(role_ids)
        missing = set(role_ids) - {role.id for role in roles}
        if missing:
            raise NotFoundError("Role not found.", data=sorted(map(str, missing)))
        await self._disconnect_holders(role_ids)
        for role in roles:
            await self.roles.delete(role)
        self.permissions.invalidate_all(self.uow)

    async def _disconnect_holders(self, role_ids: Sequence[UUID]) -> None:
        """What was taken from a role, its holders must not go on hearing: they connect again with what is left."""
        self.uow.disconnect(*[user_room(user_id) for user_id in await self.users.holders(role_ids)])
