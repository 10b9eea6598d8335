"""Every request has a name: in the logs, in errors and in the answer; a valid name that the client sent is kept."""

import re

from starlette.types import Scope

from src.utils.uuid7 import uuid7_text

HEADER = "X-Request-ID"

_HEADER = HEADER.lower().encode()

# What is safe to repeat in logs and headers.
_VALID = re.compile(rb"[A-Za-z0-9._\-]{8,128}")


def name_of(scope: Scope) -> str:
    """The name that the client gave the request, else a new one."""
    for name, value in scope["headers"]:
        if name == _HEADER and _VALID.fullmatch(value):
            return bytes(value).decode()
    return uuid7_text()
