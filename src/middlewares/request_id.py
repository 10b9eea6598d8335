"""The request id: in the logs, in errors and in the `X-Request-ID` header of the response."""

import re

from starlette.types import Scope

from src.utils.uuid7 import uuid7_text

HEADER = "X-Request-ID"

_HEADER = HEADER.lower().encode()

# Safe to repeat in logs and headers.
_VALID = re.compile(rb"[A-Za-z0-9._\-]{8,128}")


def get_request_id(scope: Scope) -> str:
    """The id that the client sent, if it is valid, else a new one."""
    for name, value in scope["headers"]:
        if name == _HEADER and _VALID.fullmatch(value):
            return bytes(value).decode()
    return uuid7_text()
