"""Optimistic locking over HTTP: an `ETag` is the version of the row, and `If-Match` says which one the caller has seen.

Nobody has to send `If-Match`; who does is told by 412 that somebody else was faster, instead of overwriting it.
"""

import re
from typing import Annotated, Any

from fastapi import Depends, Header, Response

from src.core.exceptions import InvalidInputError, PreconditionFailedError
from src.models.mixins import Versioned
from src.schemas.response import ErrorResponse

_ENTITY_TAG = re.compile(r'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"')

# For the `responses` of a route that shows a version, and of one that checks it.
SHOWS_ETAG: dict[int | str, dict[str, Any]] = {
    200: {"headers": {"ETag": {"description": "The version of the row.", "schema": {"type": "string"}}}}
}
CHECKS_ETAG: dict[int | str, dict[str, Any]] = {
    **SHOWS_ETAG,
    412: {"model": ErrorResponse, "description": "The row has another version than `If-Match`: `resource.changed`"},
}


async def read_if_match(
    if_match: Annotated[
        str | None, Header(description='The `ETag` that the change is based on, such as `"3"`.')
    ] = None,
) -> int | None:
    """The version that the caller has seen; None for any.

    Raises:
        InvalidInputError: It is no entity tag, or more than one.
        PreconditionFailedError: It is one that no row ever has, such as a weak one.
    """
    if if_match is None or if_match.strip() == "*":
        return None
    tag = _ENTITY_TAG.fullmatch(if_match.strip())
    if tag is None:
        raise InvalidInputError("If-Match", 'Must be one entity tag, such as "3".')
    weak, value = tag.groups()
    if weak or not re.fullmatch("[0-9]{1,18}", value):
        raise PreconditionFailedError
    return int(value)


IfMatchDep = Annotated[int | None, Depends(read_if_match)]


def show_version(response: Response, row: Versioned) -> None:
    """Put the row's version into the answer's headers."""
    response.headers["ETag"] = f'"{row.version}"'
