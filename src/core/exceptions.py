"""Domain errors, each with its HTTP status and a stable dotted name; REST, Socket.IO and tasks render them."""

from collections.abc import Callable
from typing import Any, TypeVar


class AppError(Exception):
    """Base of all errors whose message is shown to callers.

    Attributes:
        status: The HTTP status that the error is rendered with.
        error: A stable dotted name for clients to switch on.
        message: One sentence that is safe to show.
        data: JSON details, such as the invalid fields.
        headers: HTTP headers of the response, such as `Retry-After`.
    """

    status: int = 500
    error: str = "internal"
    message: str = "Internal Server Error."

    def __init__(
        self,
        message: str | None = None,
        *,
        error: str | None = None,
        data: Any = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        self.message = message or self.message
        self.error = error or self.error
        self.data = data
        self.headers = headers or {}
        super().__init__(self.message)


class BadRequestError(AppError):
    """The request is malformed or contradicts itself."""

    status = 400
    error = "request.invalid"
    message = "Bad Request."


class UnauthorizedError(AppError):
    """The request is unauthenticated. All causes give the same response."""

    status = 401
    error = "auth.unauthorized"
    message = "Unauthorized."

    def __init__(self, message: str | None = None, *, error: str | None = None) -> None:
        super().__init__(message, error=error, headers={"WWW-Authenticate": "Bearer"})


class PermissionDeniedError(AppError):
    """The caller lacks the permission."""

    status = 403
    error = "auth.permission_denied"
    message = "Permission Denied."


class NotFoundError(AppError):
    """The resource does not exist, or the caller may not see it."""

    status = 404
    error = "resource.not_found"
    message = "Not Found."


class ConflictError(AppError):
    """The request conflicts with the state of the resource."""

    status = 409
    error = "resource.conflict"
    message = "Conflict."


class PreconditionFailedError(AppError):
    """The resource has changed since the caller read it (`If-Match`)."""

    status = 412
    error = "resource.changed"
    message = "Precondition Failed."


class RangeNotSatisfiableError(AppError):
    """The requested range begins after the end of the content.

    Args:
        size: The size of the content in bytes.
    """

    status = 416
    error = "request.range_not_satisfiable"
    message = "Range Not Satisfiable."

    def __init__(self, size: int) -> None:
        super().__init__(headers={"Content-Range": f"bytes */{size}"})


class InvalidInputError(AppError):
    """Well-formed input that violates a rule.

    Args:
        field: The input's name as the client wrote it, dotted when nested.
        message: What is wrong with it.
    """

    status = 422
    error = "request.validation"
    message = "Data Validation Error."

    def __init__(self, field: str, message: str) -> None:
        super().__init__(data=[{"field": field, "message": message, "type": "value_error"}])


class TooManyRequestsError(AppError):
    """The caller has reached a rate limit.

    Args:
        retry_after_seconds: When the next attempt may succeed.
    """

    status = 429
    error = "request.throttled"
    message = "Too Many Requests."

    def __init__(self, retry_after_seconds: int, *, error: str | None = None) -> None:
        super().__init__(error=error, headers={"Retry-After": str(max(1, retry_after_seconds))})


class ServiceUnavailableError(AppError):
    """A store is down or a queue is full. Nothing was changed, so the request can be repeated.

    Args:
        store: The store, for logs and metrics; it is not shown to callers.
    """

    status = 503
    error = "service.unavailable"
    message = "Service Unavailable."

    def __init__(
        self, message: str | None = None, *, error: str | None = None, retry_after_seconds: int = 1, store: str = ""
    ) -> None:
        super().__init__(message, error=error, headers={"Retry-After": str(retry_after_seconds)})
        self.store = store


F = TypeVar("F", bound=Callable[..., Any])

_declared: dict[Callable[..., Any], tuple[AppError, ...]] = {}


def raises(*errors: AppError | type[AppError]) -> Callable[[F], F]:
    """Declare the errors of an endpoint or a dependency, each as an example; the OpenAPI document describes them.

    The errors of a route are those of its endpoint and of all its dependencies.
    """

    def declare(function: F) -> F:
        made = (error() if isinstance(error, type) else error for error in errors)
        _declared[function] = (*_declared.get(function, ()), *made)
        return function

    return declare


def declared_errors(function: Callable[..., Any] | None) -> tuple[AppError, ...]:
    """The errors that `raises` declared for a function."""
    return _declared.get(function, ()) if function else ()
