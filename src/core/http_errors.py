"""Translates errors of FastAPI and of the stores' clients to the domain errors that they are rendered as."""

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from src.core.exceptions import AppError, InvalidInputError
from src.core.stores.errors import as_unavailable
from src.utils.bounds import MAX_ERRORS, MAX_FIELD_LENGTH, MAX_MESSAGE_LENGTH
from src.utils.http_status import error_name, phrase_of
from src.utils.text import printable


class FrameworkError(AppError):
    """An error of the framework: unknown path, wrong method, body too large."""

    def __init__(self, error: HTTPException) -> None:
        status = error.status_code
        super().__init__(f"{phrase_of(status)}.", error=error_name(status), headers=dict(error.headers or {}))
        self.status = status


class InvalidRequestError(InvalidInputError):
    """A request that does not match the declared parameters: the first 50 fields, without the input itself."""

    def __init__(self, error: RequestValidationError) -> None:
        first = error.errors()[:MAX_ERRORS]
        fields = [(_field(item["loc"]), printable(item["msg"], MAX_MESSAGE_LENGTH), item["type"]) for item in first]
        AppError.__init__(
            self, data=[{"field": field, "message": message, "type": type_} for field, message, type_ in fields]
        )


def as_app_error(error: BaseException) -> AppError | None:
    """The domain error to render this error as; None if it is unexpected, which is rendered as `AppError()`."""
    if isinstance(error, AppError):
        return error
    if isinstance(error, HTTPException):
        return FrameworkError(error)
    if isinstance(error, RequestValidationError):
        return InvalidRequestError(error)
    return as_unavailable(error)


def _field(location: tuple[int | str, ...]) -> str:
    """The field as the client wrote it, without its part of the request (body, query, …)."""
    names = location[1:] if location[1:] and not isinstance(location[1], int) else location[:1]
    return printable(".".join(map(str, names)), MAX_FIELD_LENGTH)
