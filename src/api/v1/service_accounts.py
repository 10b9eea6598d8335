"""Service accounts are created here; everything else about them is at `/users`."""

from fastapi import APIRouter, Depends

from src.api.audited_route import AuditedRoute
from src.api.v1.errors import NOT_YOURS_TO_GRANT, TAKEN
from src.api.v1.users import render_one
from src.core.exceptions import raises
from src.deps.api_key import ServiceAccountServiceDep
from src.deps.permission import ActorDep, require_permission
from src.schemas.api_key import ServiceAccountCreate
from src.schemas.response import Response, created
from src.schemas.user import UserResponse

router = APIRouter(
    prefix="/service-accounts", tags=["API key"], route_class=AuditedRoute, dependencies=[Depends(require_permission)]
)


@router.post("", status_code=201)
@raises(NOT_YOURS_TO_GRANT, TAKEN)
async def create_service_account(
    body: ServiceAccountCreate, accounts: ServiceAccountServiceDep, actor: ActorDep
) -> Response[UserResponse]:
    """Create a service account: a user without a password, whom API keys act for."""
    return created(await render_one(await accounts.create_service_account(body, actor), accounts))
