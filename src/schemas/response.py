"""The envelope of every JSON response."""

import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar, Generic, TypeVar, get_args, get_origin
from uuid import UUID

from pydantic import ConfigDict, Field
from typing_extensions import override

from src.schemas.base import BaseSchema
from src.schemas.list_params import PageQuery

T = TypeVar("T")

# Pydantic looks for docstrings of fields where the class is given its parameters, too, and fails inside a signature.
_GENERIC = ConfigDict(use_attribute_docstrings=False)


def _name(type_: Any) -> str:
    """The name of a type in the documents, such as `UserResponseList` for `list[UserResponse]`."""
    if get_origin(type_) is list:
        return _name(get_args(type_)[0]) + "List"
    name: str = "Empty" if type_ in (None, type(None)) else type_.__name__
    return name[0].upper() + name[1:]


class BaseResponse(BaseSchema):
    """Base class of the responses for rows."""

    id: UUID
    """Id of the row; later rows have greater ids."""
    create_time: datetime
    """When the row was created."""
    update_time: datetime
    """When the row was last changed."""


class Response(BaseSchema, Generic[T]):
    """A successful response; `code` repeats the HTTP status, `ts` is the time in Unix seconds."""

    model_config = _GENERIC

    code: int = Field(200, description="The HTTP status.")
    message: str = Field("Success.", description="One sentence for people.")
    ts: int = Field(
        default_factory=lambda: int(time.time()),
        description="Time of the response in Unix seconds.",
        examples=[1767268800],
    )
    data: T = Field(description="What was requested.")

    @classmethod
    @override
    def model_parametrized_name(cls, params: tuple[Any, ...]) -> str:
        return f"{_name(params[0])}Envelope"


class ErrorResponse(BaseSchema):
    """An error response; `error` is a stable dotted name, `requestId` identifies the request in the logs."""

    code: int
    """The HTTP status."""
    message: str
    """One sentence for people."""
    ts: int = Field(default_factory=lambda: int(time.time()), examples=[1767268800])
    """Time of the response in Unix seconds."""
    data: Any = None
    """Details; what they are depends on `error`."""
    error: str
    """Stable dotted name of the error, for programs."""
    request_id: str
    """Identifies the request in the logs; also the header `X-Request-ID`."""

    EXAMPLE: ClassVar = {
        "code": 404,
        "message": "Not Found.",
        "error": "resource.not_found",
        "requestId": "019b7700-0000-7000-8000-000000000000",
    }


class FieldError(BaseSchema):
    """An invalid input, in the `data` of a 422."""

    field: str
    """The input's name as the client sent it, dotted if it is nested."""
    message: str
    """What is wrong, for people."""
    type: str
    """What is wrong, for programs: a pydantic error type."""

    EXAMPLE: ClassVar = {"field": "name", "message": "Field required", "type": "missing"}


class ValidationErrorResponse(ErrorResponse):
    """The response with status 422."""

    data: list[FieldError]
    """Every invalid input."""

    EXAMPLE: ClassVar = {
        "code": 422,
        "message": "Data Validation Error.",
        "data": [FieldError.EXAMPLE],
        "error": "request.validation",
        "requestId": "019b7700-0000-7000-8000-000000000000",
    }


class Page(BaseSchema, Generic[T]):
    """One page of a list."""

    model_config = _GENERIC

    page: int = Field(description="Number of the page, from 1.")
    page_size: int = Field(description="How many rows a full page has.")
    total: int | None = Field(
        None, exclude_if=lambda total: total is None, description="How many rows there are; missing with `total=none`."
    )
    records: list[T] = Field(description="The rows of the page.")

    EXAMPLE: ClassVar = {"page": 1, "pageSize": 20, "total": 1}

    @classmethod
    @override
    def model_parametrized_name(cls, params: tuple[Any, ...]) -> str:
        return f"{_name(params[0])}Page"


class CursorPage(BaseSchema, Generic[T]):
    """A part of a list, and the cursor of the next part, null at the end."""

    model_config = _GENERIC

    records: list[T] = Field(description="The rows.")
    next_cursor: str | None = Field(description="Send it as `cursor` to get the next rows; null at the end.")

    EXAMPLE: ClassVar = {"nextCursor": "eyJpZCI6IjAxOWI3NzAwIn0"}

    @classmethod
    @override
    def model_parametrized_name(cls, params: tuple[Any, ...]) -> str:
        return f"{_name(params[0])}CursorPage"


def ok(data: T) -> Response[T]:
    """Wrap `data` in a response with status 200."""
    return Response(data=data)


def paged(query: PageQuery, result: tuple[Sequence[T], int | None]) -> Response[Page[T]]:
    """Wrap the rows and the total of a page in a response with status 200."""
    rows, total = result
    return ok(Page(page=query.page, page_size=query.page_size, total=total, records=[*rows]))


def created(data: T) -> Response[T]:
    """Wrap `data` in a response with status 201."""
    return Response(code=201, message="Created.", data=data)
