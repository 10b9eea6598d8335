from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel

from src.api.v1 import audit_logs, auth, files, notices, permission_codes, permissions, roles, schedules, tasks, users
from src.core.config import Settings
from src.schemas.response import ErrorResponse, ValidationErrorResponse

PREFIX = "/api/v1"


def _error(description: str, model: type[BaseModel] = ErrorResponse) -> dict[str, Any]:
    """A reference to the model, which `install_docs` adds once; FastAPI would generate it for each route."""
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {"description": description, "content": {"application/json": {"schema": schema}}}


# Documented for every route.
ERRORS: dict[int | str, dict[str, Any]] = {
    400: _error("Bad Request"),
    401: _error("Unauthorized"),
    403: _error("Permission Denied"),
    404: _error("Not Found"),
    409: _error("Conflict"),
    413: _error("Content Too Large"),
    422: _error("Data Validation Error", ValidationErrorResponse),
    429: _error("Too Many Requests"),
    503: _error("Service Unavailable"),
}

# In the order in which they appear in the documentation.
MODULES = (
    auth,
    users,
    roles,
    permissions,
    permission_codes,
    audit_logs,
    schedules,
    tasks,
    notices,
    files,
)


def create_router(settings: Settings) -> APIRouter:
    """All routes of version 1 that exist with these settings; include it with `PREFIX`."""
    router = APIRouter(responses=ERRORS)
    for module in MODULES:
        router.include_router(module.router)
    if settings.ENVIRONMENT.has_docs:
        router.include_router(auth.swagger_router)
    if settings.auth.registration_enabled:
        router.include_router(auth.registration_router)
    return router
