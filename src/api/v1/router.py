from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel

from src.api.v1 import audit_logs, auth, files, notices, permission_codes, permissions, roles, schedules, tasks, users
from src.core.config import Settings
from src.schemas.response import ErrorResponse, ValidationErrorResponse

PREFIX = "/api/v1"


def _answer(description: str, model: type[BaseModel] = ErrorResponse) -> dict[str, Any]:
    """Refers to the model, which `install_docs` adds to the document: FastAPI would build it anew for each route."""
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {"description": description, "content": {"application/json": {"schema": schema}}}


# Documented once for every route: whatever may go wrong anywhere has one of these shapes.
ERRORS: dict[int | str, dict[str, Any]] = {
    400: _answer("Bad Request"),
    401: _answer("Unauthorized"),
    403: _answer("Permission Denied"),
    404: _answer("Not Found"),
    409: _answer("Conflict"),
    413: _answer("Content Too Large"),
    422: _answer("Data Validation Error", ValidationErrorResponse),
    429: _answer("Too Many Requests"),
    503: _answer("Service Unavailable"),
}

# In the order of the documentation.
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
    """All routes of version 1 that exist with these settings, to be included with their prefix."""
    router = APIRouter(responses=ERRORS)
    for module in MODULES:
        router.include_router(module.router)
    if settings.ENVIRONMENT.is_debug:
        router.include_router(auth.swagger_router)
    if settings.auth.registration_enabled:
        router.include_router(auth.registration_router)
    return router
