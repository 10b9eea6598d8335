"""The Socket.IO clients that are connected to all API processes."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query

from src.api.audited_route import AuditedRoute
from src.api.v1.errors import NOT_YOURS_TO_GRANT
from src.api.v1.users import NOT_YOURS_TO_RULE
from src.core.exceptions import NotFoundError, raises
from src.deps.connected_client import ConnectedClientServiceDep
from src.deps.permission import ActorDep, require_permission
from src.deps.rate_limit import EXPENSIVE
from src.schemas.base import SafeStr
from src.schemas.connected_client import ClientQuery, ConnectedClients
from src.schemas.response import Response, ok

router = APIRouter(
    prefix="/ops/clients",
    tags=["Operations"],
    route_class=AuditedRoute,
    dependencies=[Depends(require_permission)],
)

ClientId = Annotated[
    SafeStr,
    Path(alias="clientId", max_length=64, description="Id of the connection.", examples=["q1w2e3r4t5y6u7i8o9p0"]),
]


@router.get("", dependencies=[EXPENSIVE])
async def list_clients(
    query: Annotated[ClientQuery, Query()], clients: ConnectedClientServiceDep
) -> Response[ConnectedClients]:
    """List the connected Socket.IO clients of all processes."""
    return ok(await clients.list(query))


@router.delete("/{clientId}")
@raises(NotFoundError("Client not found."), NOT_YOURS_TO_GRANT, NOT_YOURS_TO_RULE)
async def disconnect_client(client_id: ClientId, clients: ConnectedClientServiceDep, actor: ActorDep) -> Response[None]:
    """Disconnect a client; it may connect again as long as its session lives."""
    await clients.disconnect(client_id, actor)
    return ok(None)
