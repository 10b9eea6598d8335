from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request

from src.core.exceptions import NotFoundError, raises
from src.core.routing.registry import RouteRegistry
from src.deps.permission import ActorDep, PermissionExplanationServiceDep, require_permission
from src.deps.rate_limit import EXPENSIVE
from src.schemas.base import SafeStr
from src.schemas.permission import PermissionExplanation
from src.schemas.response import Response, ok

router = APIRouter(prefix="/permissions", tags=["Permission"], dependencies=[Depends(require_permission)])


@router.get("/mine")
async def list_my_permissions(actor: ActorDep) -> Response[list[str]]:
    """List the permission codes that the caller holds; `*` means all."""
    return ok(sorted(actor.codes))


@router.get("/explain", dependencies=[EXPENSIVE])
@raises(NotFoundError("User not found."))
async def explain_permission(
    user_id: Annotated[UUID, Query(alias="userId", description="Id of the user.")],
    method: Annotated[
        SafeStr, Query(min_length=1, max_length=10, description="The method; `SOCKET` for an event.", examples=["GET"])
    ],
    path: Annotated[
        SafeStr,
        Query(
            min_length=1,
            max_length=255,
            description="The path template, or the name of the event.",
            examples=["/api/v1/roles/{roleId}"],
        ),
    ],
    explanations: PermissionExplanationServiceDep,
    request: Request,
    api_key_id: Annotated[
        UUID | None,
        Query(alias="apiKeyId", description="Id of one of the user's API keys, to explain what it may call."),
    ] = None,
) -> Response[PermissionExplanation]:
    """Explain whether a user, or an API key of theirs, may call a route, and which role decides."""
    method = method.upper()
    code = path if method == "PERMISSION" else f"{method}:{path}"
    registry: RouteRegistry = request.app.state.registry
    return ok(await explanations.explain(user_id, code, registry.access_to(code), api_key_id))
