"""Error bodies that clients receive.

Codes follow the close codes of RFC 6455, section 7.4, and its private range:

| code | meaning |
|---|---|
| 1003 | the payload has another JSON type than the event takes, or the number of arguments is wrong |
| 1007 | the payload is invalid, or violates a rule of the domain |
| 1008 | not authenticated, or not permitted |
| 1011 | internal error, without its text |
| 1013 | too many events: try again later |
| 4000 + HTTP status | any other domain error, such as 4404 or 4409; `error` is its stable name |
"""

from http import HTTPStatus
from http.client import responses
from typing import Annotated, Any, NotRequired, Protocol, runtime_checkable

from fastapi.exceptions import RequestValidationError, WebSocketRequestValidationError
from pydantic import Field
from starlette.exceptions import HTTPException, WebSocketException
from typing_extensions import TypedDict

from src.core.injection import FieldError, PayloadError

WRONG_TYPE = 1003
INVALID = 1007
DENIED = 1008
UNEXPECTED = 1011
TOO_MANY = 1013
DOMAIN = 4000

_ERROR_KEYS = FieldError.__required_keys__


class ErrorBody(TypedDict):
    """The body of a negative ack, of an `error` event and of a refused connect."""

    code: Annotated[int, Field(description="One of the codes above.", examples=[INVALID])]
    event: Annotated[str, Field(description="The event that failed.", examples=["chat.send"])]
    message: Annotated[str, Field(description="One sentence for people.", examples=["Data Validation Error."])]
    data: Annotated[
        Any, Field(description="Details; those of invalid fields as text.", examples=["room field required"])
    ]
    error: NotRequired[
        Annotated[str, Field(description="Stable dotted name of the error.", examples=["request.validation"])]
    ]
    errors: NotRequired[Annotated[list[FieldError], Field(description="The invalid fields.")]]


@runtime_checkable
class DomainError(Protocol):
    """An exception whose text may be shown to the client: any that has these attributes.

    Attributes:
        status: HTTP status.
        error: Stable dotted name.
        message: One sentence for people.
        data: Details for programs; a list of `FieldError` if the status is 422.
    """

    status: int
    error: str
    message: str
    data: Any


def describe(error: Exception, event: str) -> ErrorBody:
    """Build the body for an exception; internal errors are reported without their text."""
    if isinstance(error, PayloadError):
        return _invalid(WRONG_TYPE if error.wrong_kind else INVALID, event, error.errors)
    if isinstance(error, DomainError):
        if error.status == HTTPStatus.UNPROCESSABLE_ENTITY and _are_field_errors(error.data):
            return {**_invalid(INVALID, event, error.data), "error": error.error}
        return {**_by_status(error.status, event, error.message, error.data), "error": error.error}
    if isinstance(error, HTTPException):
        if isinstance(error.detail, str):
            return _by_status(error.status_code, event, error.detail, None)
        return _by_status(error.status_code, event, responses.get(error.status_code, "Error"), error.detail)
    if isinstance(error, WebSocketException):
        return ErrorBody(code=error.code, event=event, message=error.reason, data=None)
    if isinstance(error, (RequestValidationError, WebSocketRequestValidationError)):
        return _invalid(INVALID, event, [_field_error(item) for item in error.errors()])
    return ErrorBody(code=UNEXPECTED, event=event, message="Internal Server Error.", data=None)


def refused(event: str) -> ErrorBody:
    """Build the body for a connect handler that returned False."""
    return ErrorBody(code=DENIED, event=event, message="Connection Refused.", data=None)


def ended() -> ErrorBody:
    """Build the body for a client whose login ended or expired, or whose permissions changed."""
    return ErrorBody(code=DENIED, event="connect", message="Session Ended.", data=None, error="auth.session_ended")


def throttled(event: str) -> ErrorBody:
    """Build the body for an event beyond the rate limit."""
    return ErrorBody(code=TOO_MANY, event=event, message="Too Many Events.", data=None, error="socket.throttled")


def _field_error(item: dict[str, Any]) -> FieldError:
    """Convert an error of FastAPI, whose location begins with `body`, `query` or the like."""
    field = ".".join(map(str, item["loc"][1:])) or str(item["loc"][0])
    return FieldError(field=field, message=item["msg"], type=item["type"])


def _are_field_errors(data: Any) -> bool:
    return isinstance(data, list) and all(isinstance(item, dict) and item.keys() >= _ERROR_KEYS for item in data)


def _invalid(code: int, event: str, errors: list[FieldError]) -> ErrorBody:
    text = "; ".join(f"{error['field']} {error['message'][:1].lower()}{error['message'][1:]}" for error in errors)
    message = "Data Validation Error." if code == INVALID else "Unsupported Data."
    return ErrorBody(code=code, event=event, message=message, data=text, errors=errors)


def _by_status(status: int, event: str, message: str, data: Any) -> ErrorBody:
    denied = status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
    return ErrorBody(code=DENIED if denied else DOMAIN + status, event=event, message=message, data=data)
