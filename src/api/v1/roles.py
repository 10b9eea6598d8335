from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query
from fastapi import Response as HTTPResponse

from src.api.audited_route import AuditedRoute
from src.api.etag import SENDS_ETAG, IfMatchDep, set_etag
from src.api.v1.errors import CHANGED, NOT_YOURS_TO_GRANT
from src.core.exceptions import ConflictError, NotFoundError, raises
from src.deps.permission import ActorDep, VerifyPermissionDep, require_permission
from src.deps.rate_limit import EXPENSIVE
from src.deps.role import RoleReaderDep, RoleServiceDep
from src.schemas.list_params import MAXIMUM_IDS
from src.schemas.response import Page, Response, created, ok, paged
from src.schemas.role import RoleCreate, RoleDetail, RolePreview, RoleQuery, RoleResponse, RoleUpdate

router = APIRouter(prefix="/roles", tags=["Role"], route_class=AuditedRoute, dependencies=[Depends(require_permission)])

RoleId = Annotated[UUID, Path(alias="roleId", description="Id of the role.")]

NOT_FOUND = NotFoundError("Role not found.")
CODE_TAKEN = ConflictError("Another role has this code.", data={"code": "editor"})


@router.get("")
async def list_roles(query: Annotated[RoleQuery, Query()], roles: RoleReaderDep) -> Response[Page[RoleResponse]]:
    """List roles, page by page."""
    return paged(query, await roles.page(query))


@router.get("/mine")
async def list_my_roles(claims: VerifyPermissionDep, roles: RoleReaderDep) -> Response[list[RoleResponse]]:
    """List the caller's enabled roles."""
    return ok([RoleResponse.model_validate(role) for role in await roles.list_of(claims.user_id)])


@router.get("/all")
async def list_all_roles(roles: RoleReaderDep) -> Response[list[RoleResponse]]:
    """List all roles, to choose from."""
    return ok([*await roles.list()])


@router.post("", status_code=201)
@raises(NOT_YOURS_TO_GRANT, CODE_TAKEN)
async def create_role(body: RoleCreate, roles: RoleServiceDep, actor: ActorDep) -> Response[RoleResponse]:
    """Create a role; it can only grant permissions that the caller holds."""
    return created(RoleResponse.model_validate(await roles.create(body, actor)))


@router.get("/{roleId}", responses=SENDS_ETAG)
@raises(NOT_FOUND)
async def get_role(role_id: RoleId, roles: RoleServiceDep, response: HTTPResponse) -> Response[RoleDetail]:
    """Get a role, with its stale permission codes, and its version as `ETag`."""
    role = await roles.get(role_id)
    set_etag(response, role)
    summary = RoleResponse.model_validate(role).model_dump()
    return ok(RoleDetail.model_validate({**summary, "stale_permissions": await roles.stale_permissions(role)}))


@router.put("/{roleId}", responses=SENDS_ETAG)
@raises(NOT_FOUND, NOT_YOURS_TO_GRANT, CHANGED)
async def update_role(
    role_id: RoleId,
    body: RoleUpdate,
    roles: RoleServiceDep,
    actor: ActorDep,
    version: IfMatchDep,
    response: HTTPResponse,
) -> Response[RoleResponse]:
    """Update a role, if it still has the version in `If-Match`; takes effect immediately."""
    role = await roles.update(role_id, body, actor, version=version)
    set_etag(response, role)
    return ok(RoleResponse.model_validate(role))


@router.post("/{roleId}/preview", dependencies=[EXPENSIVE])
@raises(NOT_FOUND)
async def preview_role(role_id: RoleId, body: RoleUpdate, roles: RoleReaderDep) -> Response[RolePreview]:
    """Preview an update of a role: who would gain and lose which permissions; changes nothing."""
    return ok(await roles.preview(role_id, body))


@router.delete("/{roleId}")
@raises(NOT_FOUND, NOT_YOURS_TO_GRANT, CHANGED)
async def delete_role(role_id: RoleId, roles: RoleServiceDep, actor: ActorDep) -> Response[None]:
    """Delete a role, also from the users who have it."""
    await roles.delete([role_id], actor)
    return ok(None)


@router.delete("")
@raises(NOT_FOUND, NOT_YOURS_TO_GRANT, CHANGED)
async def delete_roles(
    ids: Annotated[list[UUID], Query(min_length=1, max_length=MAXIMUM_IDS, description="Ids of the roles.")],
    roles: RoleServiceDep,
    actor: ActorDep,
) -> Response[None]:
    """Delete several roles; none of them if one does not exist."""
    await roles.delete(ids, actor)
    return ok(None)
