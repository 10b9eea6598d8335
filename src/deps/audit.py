from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from src.core.exceptions import AppError, TooManyRequestsError, raises
from src.core.http_errors import as_app_error
from src.core.routing.registry import RouteRegistry
from src.core.security.audit import AuditEntry
from src.core.stores.errors import NO_RESPONSE
from src.deps.auth import ClientDep
from src.deps.database import ResourcesDep, UnitOfWorkDep
from src.services.audit import AuditService


async def get_audit_service(resources: ResourcesDep) -> AuditService:
    """The audit log, to list its entries."""
    return AuditService(resources)


AuditServiceDep = Annotated[AuditService, Depends(get_audit_service)]


@raises(TooManyRequestsError(60))
async def audit_request(
    connection: HTTPConnection, uow: UnitOfWorkDep, client: ClientDep, service: AuditServiceDep
) -> AsyncIterator[AuditEntry]:
    """Record this request in the audit log: a success in its own transaction, a failure in a separate one.

    Routes of an `AuditedRoute` have this dependency. A handler that adds details asks for `AuditEntryDep`.
    """
    registry: RouteRegistry = connection.app.state.registry
    entry = AuditEntry(
        action=registry.find_code(connection.scope) or connection.url.path,
        target={name: str(value) for name, value in connection.path_params.items()},
        address=client.address,
        user_agent=client.user_agent,
        request_id=connection.scope.get("request_id", ""),
    )
    service.record_on_commit(uow, entry, connection.scope["route"].status_code or 200)
    try:
        yield entry
    except BaseException as error:
        _add_caller(entry, connection)
        await uow.rollback()  # returns its connection to the pool before the entry takes one
        database_responds = not isinstance(error, NO_RESPONSE)
        await service.record_failure(entry, as_app_error(error) or AppError(), database_responds=database_responds)
        raise
    _add_caller(entry, connection)


def _add_caller(entry: AuditEntry, connection: HTTPConnection) -> None:
    entry.actor_id = entry.actor_id or getattr(connection.state, "actor_id", None)
    entry.api_key_id = getattr(connection.state, "api_key_id", None)
    entry.acted_by = getattr(connection.state, "acted_by", None)


# With this scope it sees a handler's error, and ends before the unit of work commits.
AUDIT_REQUEST = Depends(audit_request, scope="function")
AuditEntryDep = Annotated[AuditEntry, AUDIT_REQUEST]
