from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query

from src.api.audited_route import AuditedRoute
from src.api.v1.errors import BAD_CIPHERTEXT, BUSY, CHANGED, CONFLICT, NOT_YOURS_TO_GRANT, TAKEN
from src.core.exceptions import ConflictError, NotFoundError, PermissionDeniedError, raises
from src.deps.permission import ActorDep, require_permission
from src.deps.user import UserAdminServiceDep, UserServiceDep
from src.models.user import User
from src.schemas.response import Page, Response, created, ok, paged
from src.schemas.user import (
    UserCreate,
    UserPasswordUpdate,
    UserQuery,
    UserResponse,
    UserRolesUpdate,
    UserStatusUpdate,
    UserUpdate,
)
from src.services.user import UserService

router = APIRouter(prefix="/users", tags=["User"], route_class=AuditedRoute, dependencies=[Depends(require_permission)])

UserId = Annotated[UUID, Path(alias="userId", description="Id of the user.")]

NOT_FOUND = NotFoundError("User not found.")
NOT_YOURS_TO_RULE = PermissionDeniedError(
    "Only administrators can manage administrators.", error="auth.not_yours_to_rule"
)
SERVICE_ACCOUNT = ConflictError(
    "A service account has no password, and cannot be an administrator.", error="user.service_account"
)
LAST_ADMIN = ConflictError("The last administrator cannot be removed.", error="user.last_admin")


async def render(users: Sequence[User], service: UserService) -> list[UserResponse]:
    """The responses for users, with the codes of their roles."""
    roles = await service.role_codes(users)
    return [UserResponse.model_validate({**user.model_dump(), "roles": roles[user.id]}) for user in users]


async def render_one(user: User, service: UserService) -> UserResponse:
    """The response for one user."""
    return (await render([user], service))[0]


@router.get("")
async def list_users(query: Annotated[UserQuery, Query()], users: UserServiceDep) -> Response[Page[UserResponse]]:
    """List users, page by page."""
    rows, total = await users.page(query)
    return paged(query, (await render(rows, users), total))


@router.post("", status_code=201)
@raises(NOT_YOURS_TO_GRANT, NOT_YOURS_TO_RULE, TAKEN, BAD_CIPHERTEXT, BUSY)
async def create_user(body: UserCreate, users: UserAdminServiceDep, actor: ActorDep) -> Response[UserResponse]:
    """Create a user; the password is encrypted as for the login."""
    return created(await render_one(await users.create(body, actor), users))


@router.get("/{userId}")
@raises(NOT_FOUND)
async def get_user(user_id: UserId, users: UserServiceDep) -> Response[UserResponse]:
    """Get a user."""
    return ok(await render_one(await users.get(user_id), users))


@router.patch("/{userId}")
@raises(NOT_FOUND, NOT_YOURS_TO_GRANT, NOT_YOURS_TO_RULE, LAST_ADMIN, SERVICE_ACCOUNT, TAKEN, CHANGED)
async def update_user(
    user_id: UserId, body: UserUpdate, users: UserAdminServiceDep, actor: ActorDep
) -> Response[UserResponse]:
    """Update a user."""
    return ok(await render_one(await users.update(user_id, body, actor), users))


@router.delete("/{userId}")
@raises(NOT_FOUND, NOT_YOURS_TO_GRANT, NOT_YOURS_TO_RULE, LAST_ADMIN, CHANGED)
async def delete_user(user_id: UserId, users: UserAdminServiceDep, actor: ActorDep) -> Response[None]:
    """Delete a user, and end all of their sessions."""
    await users.delete(user_id, actor)
    return ok(None)


@router.put("/{userId}/roles")
@raises(NOT_FOUND, NOT_YOURS_TO_GRANT, NOT_YOURS_TO_RULE, CONFLICT)
async def set_user_roles(
    user_id: UserId, body: UserRolesUpdate, users: UserAdminServiceDep, actor: ActorDep
) -> Response[UserResponse]:
    """Replace a user's roles."""
    return ok(await render_one(await users.set_roles(user_id, body.roles, actor), users))


@router.put("/{userId}/status")
@raises(NOT_FOUND, NOT_YOURS_TO_GRANT, NOT_YOURS_TO_RULE, LAST_ADMIN, CHANGED)
async def set_user_status(
    user_id: UserId, body: UserStatusUpdate, users: UserAdminServiceDep, actor: ActorDep
) -> Response[UserResponse]:
    """Enable or disable a user; disabling ends all of their sessions."""
    return ok(await render_one(await users.set_status(user_id, body.status, actor), users))


@router.post("/{userId}/unlock")
@raises(NOT_FOUND, NOT_YOURS_TO_GRANT, NOT_YOURS_TO_RULE)
async def unlock_user(user_id: UserId, users: UserAdminServiceDep, actor: ActorDep) -> Response[UserResponse]:
    """Let a user log in again who was locked out by failed logins."""
    return ok(await render_one(await users.unlock(user_id, actor), users))


@router.put("/{userId}/password")
@raises(NOT_FOUND, NOT_YOURS_TO_GRANT, NOT_YOURS_TO_RULE, SERVICE_ACCOUNT, BAD_CIPHERTEXT, CHANGED, BUSY)
async def set_user_password(
    user_id: UserId, body: UserPasswordUpdate, users: UserAdminServiceDep, actor: ActorDep
) -> Response[UserResponse]:
    """Set a user's password, and end all of their sessions."""
    return ok(await render_one(await users.set_password(user_id, body.password, body.kid, actor), users))
