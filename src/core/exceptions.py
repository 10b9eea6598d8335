"""Errors of the domain: each knows its HTTP status and a stable dotted name; the doors render them."""

from typing import Any, ClassVar


class AppError(Exception):
    """Base of every error that a caller may be told about.

    Attributes:
        status: The HTTP status that the error is rendered with.
        error: A stable dotted name that clients may switch on.
        message: One sentence for people, safe to show.
        data: Anything JSON that helps the caller, such as the fields at fault.
        headers: HTTP headers that belong to the answer, such as `Retry-After`.
    """

    status: ClassVar[int] = 500
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
    """The request makes no sense as it stands."""

    status = 400
    error = "request.invalid"
    message = "Bad Request."


class UnauthorizedError(AppError):
    """Nobody valid is behind the request; every cause looks the same from outside."""

    status = 401
    error = "auth.unauthorized"
    message = "Unauthorized."

    def __init__(self, message: str | None = None, *, error: str | None = None) -> None:
        super().__init__(message, error=error, headers={"WWW-Authenticate": "Bearer"})


class PermissionDeniedError(AppError):
    """The caller is known and may not do this."""

    status = 403
    error = "auth.permission_denied"
    message = "Permission Denied."


class NotFoundError(AppError):
    """The thing named in the request does not exist, or not for this caller."""

    status = 404
    error = "resource.not_found"
    message = "Not Found."


class ConflictError(AppError):
    """The request contradicts the present state."""

    status = 409
    error = "resource.conflict"
    message = "Conflict."


class PreconditionFailedError(AppError):
    """The caller wants to change a state that is no longer the present one."""

    status = 412
    error = "resource.changed"
    message = "Precondition Failed."


class RangeNotSatisfiableError(AppError):
    """The part that is asked for lies beyond the end.

    Args:
        size: Of the whole, in bytes.
    """

    status = 416
    error = "request.range_not_satisfiable"
    message = "Range Not Satisfiable."

    def __init__(self, size: int) -> None:
        super().__init__(headers={"Content-Range": f"bytes */{size}"})


class InvalidInputError(AppError):
    """Well-formed input that a rule refuses.

    Args:
        field: The input's name, dotted when nested, as the client wrote it.
        message: What is wrong with it.
    """

    status = 422
    error = "request.validation"
    message = "Data Validation Error."

    def __init__(self, field: str, message: str) -> None:
        super().__init__(data=[{"field": field, "message": message, "type": "value_error"}])


class TooManyRequestsError(AppError):
    """The caller is being throttled.

    Args:
        retry_after_seconds: When the next try may succeed.
    """

    status = 429
    error = "request.throttled"
    message = "Too Many Requests."

    def __init__(self, retry_after_seconds: int, *, error: str | None = None) -> None:
        super().__init__(error=error, headers={"Retry-After": str(max(1, retry_after_seconds))})


class ServiceUnavailableError(AppError):
    """A store or a bounded queue cannot serve now; nothing was granted and nothing was changed."""

    status = 503
    error = "service.unavailable"
    message = "Service Unavailable."

    def __init__(self, message: str | None = None, *, error: str | None = None, retry_after_seconds: int = 1) -> None:
        super().__init__(message, error=error, headers={"Retry-After": str(retry_after_seconds)})
