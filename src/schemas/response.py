"""The envelope of every JSON response."""

import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Generic, TypeVar, get_args, get_origin
from uuid import UUID

from pydantic import Field
from typing_extensions import override

from src.schemas.base import BaseSchema
from src.schemas.list_params import PageQuery

T = TypeVar("T")


def _name(type_: Any) -> str:
    """The name of a type in the documents, such as `UserResponseList` for `list[UserResponse]`."""
    if get_origin(type_) is list:
        return _name(get_args(type_)[0]) + "List"
    name: str = "Empty" if type_ in (None, type(None)) else type_.__name__
    return name[0].upper() + name[1:]


class BaseResponse(BaseSchema):
    """Base class of the responses for rows."""

    id: UUID
    create_time: datetime
    update_time: datetime


class Response(BaseSchema, Generic[T]):
    """A successful response; `code` repeats the HTTP status, `ts` is the time in Unix seconds."""

    code: int = 200
    message: str = "Success."
    ts: int = Field(default_factory=lambda: int(time.time()))
    data: T

    @classmethod
    @override
    def model_parametrized_name(cls, params: tuple[Any, ...]) -> str:
        return f"{_name(params[0])}Envelope"


class ErrorResponse(BaseSchema):
    """An error response; `error` is a stable dotted name, `requestId` identifies the request in the logs."""

    code: int
    message: str
    ts: int = Field(default_factory=lambda: int(time.time()))
    data: Any = None
    error: str
    request_id: str


class FieldError(BaseSchema):
    """An invalid input, in the `data` of a 422."""

    field: str
    message: str
    type: str


class ValidationErrorResponse(ErrorResponse):
    """The response with status 422."""

    data: list[FieldError]


class Page(BaseSchema, Generic[T]):
    """One page of a list."""

    page: int
    page_size: int
    total: int | None = Field(None, exclude_if=lambda total: total is None)
    records: list[T]

    @classmethod
    @override
    def model_parametrized_name(cls, params: tuple[Any, ...]) -> str:
        return f"{_name(params[0])}Page"


class CursorPage(BaseSchema, Generic[T]):
    """A part of a list, and the cursor of the next part, null at the end."""

    records: list[T]
    next_cursor: str | None

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
