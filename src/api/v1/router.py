from typing import Any

from fastapi import APIRouter

from src.api.v1 import audit_logs, auth, files, notices, permissions, roles, routes, schedules, tasks, users
from src.core.config import Settings
from src.schemas.response import ErrorResponse, ValidationErrorResponse

# Documented once for every route: whatever may go wrong anywhere has one of these shapes.
ERRORS: dict[int | str, dict[str, Any]] = {
    400: {"model": ErrorResponse, "description": "Bad Request"},
    401: {"model": ErrorResponse, "description": "Unauthorized"},
    403: {"model": ErrorResponse, "description": "Permission Denied"},
    404: {"model": ErrorResponse, "description": "Not Found"},
    409: {"model": ErrorResponse, "description": "Conflict"},
    413: {"model": ErrorResponse, "description": "Content Too Large"},
    422: {"model": ValidationErrorResponse, "description": "Data Validation Error"},
    429: {"model": ErrorResponse, "description": "Too Many Requests"},
    503: {"model": ErrorResponse, "description": "Service Unavailable"},
}

# In the order of the documentation.
MODULES = (
    auth,
    users,
    roles,
    permissions,
    routes,
    audit_logs,
    schedules,
    tasks,
    notices,
    files,
)


def create_router(settings: Settings) -> APIRouter:
    """All routes of version 1 that exist with these settings."""
    router = APIRouter(prefix="/api/v1", responses=ERRORS)
    for module in MODULES:
        router.include_router(module.router)
    if settings.ENVIRONMENT.is_debug:
        router.include_router(auth.swagger_router)
    if settings.auth.registration_enabled:
        router.include_router(auth.registration_router)
    return router
