from collections.abc import Collection, Sequence
from uuid import UUID

from src.core.exceptions import ConflictError, InvalidInputError, NotFoundError
from src.core.list_filters import PageRequest
from src.core.realtime.rooms import user_room
from src.core.unit_of_work import UnitOfWork
from src.crud.permission_code import PermissionCodeCRUD
from src.crud.role import RoleCRUD
from src.crud.user import UserCRUD
from src.models.role import Role
from src.schemas.role import PermissionChange, RoleCreate, RolePreview, RoleResponse, RoleUpdate
from src.services.actor import Actor
from src.services.permission import PermissionService

# How many users of a role a preview of a change looks at.
PREVIEWED_HOLDERS = 1000


class RoleService:
    """Roles; a change takes effect on the next request of every user who has the role."""

    def __init__(self, uow: UnitOfWork, permissions: PermissionService) -> None:
        self.uow = uow
        self.permissions = permissions
        self.roles = RoleCRUD(uow.session)
        self.users = UserCRUD(uow.session)
        self.codes = PermissionCodeCRUD(uow.session)

    async def page(self, query: PageRequest) -> tuple[Sequence[RoleResponse], int | None]:
        """One page of the roles, and the total if the query asks for it."""
        return await self.roles.project(RoleResponse).page(query)

    async def list(self) -> Sequence[RoleResponse]:
        """All roles, oldest first."""
        return await self.roles.project(RoleResponse).list()

    async def list_of(self, user_id: UUID) -> Sequence[Role]:
        """The user's enabled roles."""
        return await self.users.enabled_roles(user_id)

    async def get(self, role_id: UUID) -> Role:
        """One role.

        Raises:
            NotFoundError: It does not exist.
        """
        return await self.roles.get(role_id)

    async def stale_permissions(self, role: Role) -> Sequence[str]:
        """The role's codes of routes and events that no longer exist; they grant nothing."""
        return sorted(await self.codes.unknown(role.interface_permissions))

    async def create(self, data: RoleCreate, actor: Actor) -> Role:
        """Create a role.

        Raises:
            InvalidInputError: A permission code does not exist.
            PermissionDeniedError: The role would grant a permission that the actor does not hold.
            ConflictError: Another role has this code.
        """
        if await self.roles.by_codes([data.code]):
            raise ConflictError("Another role has this code.", data={"code": data.code})
        await self._require_known(data.interface_permissions)
        role = await self.roles.create(data.model_dump())
        actor.require_all(role.grants)
        return role

    async def update(self, role_id: UUID, data: RoleUpdate, actor: Actor, *, version: int | None = None) -> Role:
        """Partially update a role; `version` is the version that the change is based on, None for any.

        Raises:
            NotFoundError: The role does not exist.
            InvalidInputError: The code would change, or a new permission code does not exist.
            PermissionDeniedError: The change would grant or withdraw a permission that the actor does not hold.
            PreconditionFailedError: The role has another version than `version`.
            ConflictError: The role was changed at the same time.
        """
        role = await self._get_changeable(role_id, data)
        before, codes_before, was = role.grants, set(role.interface_permissions), _standing(role)
        await self.roles.update(role, data.changed_fields(), version=version)
        # Enabling or disabling a role changes everything that it grants, and so does what it requires.
        changed = before ^ role.grants if _standing(role) == was else before | role.grants
        actor.require_all(changed - await self.codes.unknown(codes_before.difference(role.interface_permissions)))
        self.permissions.invalidate_all(self.uow)
        was_enabled, required_factor = was
        is_stricter = role.requires_factor and not required_factor
        if was_enabled and (not role.status or before - role.grants or is_stricter):
            await self._disconnect_holders([role.id])
        return role

    async def preview(self, role_id: UUID, data: RoleUpdate) -> RolePreview:
        """Who would gain and lose which permissions by an update; changes nothing.

        Raises:
            NotFoundError: The role does not exist.
            InvalidInputError: The code would change, or a new permission code does not exist.
        """
        role = await self._get_changeable(role_id, data)
        changed = Role.model_validate({**role.model_dump(), **data.changed_fields()})
        before, after = (version.grants if version.status else frozenset[str]() for version in (role, changed))
        stale = await self.codes.unknown(role.interface_permissions)
        holders = sorted(await self.users.holders([role_id]))
        preview = RolePreview(gains=[], loses=[], holders=len(holders))
        users = await self.users.active_with_roles(holders[:PREVIEWED_HOLDERS])
        for user, roles in sorted(users, key=lambda pair: pair[0].username):
            kept = stale.union(*(other.grants for other in roles if other.id != role_id))
            for changes, codes in ((preview.gains, after - before - kept), (preview.loses, before - after - kept)):
                if codes and not user.is_admin:
                    changes.append(PermissionChange(user_id=user.id, username=user.username, codes=sorted(codes)))
        return preview

    async def delete(self, role_ids: Sequence[UUID], actor: Actor) -> None:
        """Delete roles, also from the users who have them; all of the ids or none.

        Raises:
            NotFoundError: With the ids that do not exist as `data`.
            PermissionDeniedError: A role grants a permission that the actor does not hold.
        """
        roles = await self.roles.by_ids(role_ids)
        missing = set(role_ids) - {role.id for role in roles}
        if missing:
            raise NotFoundError("Role not found.", data=sorted(map(str, missing)))
        stale = await self.codes.unknown({code for role in roles for code in role.interface_permissions})
        actor.require_all({permission for role in roles for permission in role.grants} - stale)
        await self._disconnect_holders(role_ids)
        for role in roles:
            await self.roles.delete(role)
        self.permissions.invalidate_all(self.uow)

    async def _get_changeable(self, role_id: UUID, data: RoleUpdate) -> Role:
        role = await self.roles.get(role_id)
        if data.code not in (None, role.code):
            raise InvalidInputError("code", "The code of a role cannot be changed.")
        await self._require_known(set(data.interface_permissions or ()).difference(role.interface_permissions))
        return role

    async def _require_known(self, codes: Collection[str]) -> None:
        unknown = await self.codes.unknown(codes)
        if unknown:
            raise InvalidInputError("interfacePermissions", f"Unknown permission codes: {', '.join(sorted(unknown))}.")

    async def _disconnect_holders(self, role_ids: Sequence[UUID]) -> None:
        """Disconnect the holders' sockets, so that they reconnect with their reduced permissions."""
        self.uow.disconnect(*[user_room(user_id) for user_id in await self.users.holders(role_ids)])


def _standing(role: Role) -> tuple[bool, bool]:
    return role.status, role.requires_factor
