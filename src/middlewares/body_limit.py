from starlette.exceptions import HTTPException
from starlette.types import Scope

# Twice as many as a list of ids may have; parsing and validating 64 KiB of them would block the event loop.
_MAX_QUERY_PARAMETERS = 2000


def check_size(scope: Scope, maximum_bytes: int) -> None:
    """Check what the head of a request says.

    Raises:
        HTTPException: Its `Content-Length` is above the maximum (413), or it has too many query parameters (414).
    """
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit() and int(value) > maximum_bytes:
            raise HTTPException(413)
    if scope["query_string"].count(b"&") > _MAX_QUERY_PARAMETERS:
        raise HTTPException(414)
