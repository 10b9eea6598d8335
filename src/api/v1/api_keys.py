from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query

from src.api.audited_route import AuditedRoute
from src.api.v1.errors import CHANGED, NOT_YOURS, NOT_YOURS_TO_GRANT
from src.api.v1.users import NOT_FOUND as USER_NOT_FOUND
from src.api.v1.users import NOT_YOURS_TO_RULE
from src.core.exceptions import ConflictError, NotFoundError, raises
from src.core.security.audit import AuditEntry
from src.deps.api_key import ApiKeyScopeDep, ApiKeyServiceDep
from src.deps.audit import AuditEntryDep
from src.deps.permission import ActorDep, require_permission
from src.deps.recent import require_recent
from src.models.api_key import ApiKey
from src.schemas.api_key import ApiKeyCreate, ApiKeyCreated, ApiKeyQuery, ApiKeyResponse, ApiKeyRotate
from src.schemas.response import Page, Response, created, ok, paged

router = APIRouter(
    prefix="/api-keys", tags=["API key"], route_class=AuditedRoute, dependencies=[Depends(require_permission)]
)

KeyId = Annotated[UUID, Path(alias="keyId", description="Id of the API key, not the key itself.")]

NOT_FOUND = NotFoundError("ApiKey not found.")
TOO_MANY = ConflictError(
    "There are 50 API keys of this account, which is the limit: revoke one.",
    error="api_keys.too_many",
    data={"limit": 50},
)


@router.get("")
async def list_api_keys(
    query: Annotated[ApiKeyQuery, Query()], keys: ApiKeyServiceDep, scope: ApiKeyScopeDep
) -> Response[Page[ApiKeyResponse]]:
    """List the caller's API keys; holders of `api_keys.manage` see everybody's."""
    return paged(query, await keys.page(query, scope))


@router.post("", status_code=201, dependencies=[require_recent()])
@raises(NOT_YOURS, NOT_YOURS_TO_GRANT, NOT_YOURS_TO_RULE, USER_NOT_FOUND, TOO_MANY)
async def create_api_key(
    body: ApiKeyCreate, keys: ApiKeyServiceDep, actor: ActorDep, scope: ApiKeyScopeDep, entry: AuditEntryDep
) -> Response[ApiKeyCreated]:
    """Make an API key for the caller, or for a service account; the response is the only one that shows it."""
    row, key = await keys.create(body, actor, scope)
    entry.target["keyId"] = str(row.id)
    return created(_shown(row, key, entry))


@router.post("/{keyId}/rotate", dependencies=[require_recent()])
@raises(NOT_FOUND, NOT_YOURS_TO_GRANT, NOT_YOURS_TO_RULE, CHANGED)
async def rotate_api_key(
    key_id: KeyId,
    body: ApiKeyRotate,
    keys: ApiKeyServiceDep,
    actor: ActorDep,
    scope: ApiKeyScopeDep,
    entry: AuditEntryDep,
) -> Response[ApiKeyCreated]:
    """Replace an API key by a new one, which only this response shows; the current one is accepted for a while."""
    return ok(_shown(*await keys.rotate(key_id, body, actor, scope), entry))


@router.delete("/{keyId}")
@raises(NOT_FOUND, NOT_YOURS_TO_GRANT, NOT_YOURS_TO_RULE, CHANGED)
async def revoke_api_key(
    key_id: KeyId, keys: ApiKeyServiceDep, actor: ActorDep, scope: ApiKeyScopeDep, entry: AuditEntryDep
) -> Response[None]:
    """Revoke an API key; requests with it are refused from now on."""
    _describe(await keys.revoke(key_id, actor, scope), entry)
    return ok(None)


def _shown(row: ApiKey, key: str, entry: AuditEntry) -> ApiKeyCreated:
    _describe(row, entry)
    return ApiKeyCreated.model_validate({**row.model_dump(), "key": key})


def _describe(row: ApiKey, entry: AuditEntry) -> None:
    """Say in the audit log whose key it is."""
    entry.details |= {"name": row.name, "userId": str(row.user_id)}
