"""Optimistic locking over HTTP: a row's version is sent as `ETag`, and `If-Match` names the version to change.

`If-Match` is optional. A client that sends it gets 412, instead of overwriting, if the row was changed in the meantime.
"""

import re
from typing import Annotated, Any

from fastapi import Depends, Header, Response

from src.api.response_headers import described
from src.core.exceptions import InvalidInputError, PreconditionFailedError, raises
from src.models.mixins import Versioned

_ENTITY_TAG = re.compile(r'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"')

# For `responses=` of routes that send an `ETag`.
SENDS_ETAG: dict[int | str, dict[str, Any]] = {200: {"headers": described("ETag")}}


@raises(InvalidInputError("If-Match", 'Must be one entity tag, such as "3".'), PreconditionFailedError)
async def read_if_match(
    if_match: Annotated[
        str | None, Header(description="The `ETag` that the change is based on; without it, any.", examples=['"3"'])
    ] = None,
) -> int | None:
    """The version in `If-Match`; None for any version.

    Raises:
        InvalidInputError: The header is not exactly one entity tag.
        PreconditionFailedError: The tag cannot be a version, for example because it is weak.
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


def set_etag(response: Response, row: Versioned) -> None:
    """Send the row's version as `ETag`."""
    response.headers["ETag"] = f'"{row.version}"'
