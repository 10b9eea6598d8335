"""Headers of responses in the OpenAPI document."""

from typing import Any

Json = dict[str, Any]

_HEADERS = {
    "X-Request-ID": "Identifies the request in the logs; that of the request, if it sent a valid one.",
    "X-Device-Token": "Send it with the next login: strangers cannot lock this client out.",
    "ETag": "The version of the row or content.",
    "Accept-Ranges": "`bytes`: ranges can be requested.",
    "Content-Disposition": "The name of the file.",
    "Content-Range": "The range that is sent, or the size of the content.",
    "WWW-Authenticate": "The scheme that the request must authenticate with.",
    "Retry-After": "In how many seconds the request may succeed.",
    "RateLimit": "What is left of the budget (`r`), and in how many seconds it is renewed (`t`).",
    "RateLimit-Policy": "The budget (`q` requests in `w` seconds), named after whose it is.",
}

COMPONENTS = {name: {"description": text, "schema": {"type": "string"}} for name, text in _HEADERS.items()}


def described(*names: str) -> Json:
    """The headers of a response, as references to `COMPONENTS`.

    @router.get("/{noticeId}", responses={200: {"headers": described("ETag")}})

    Raises:
        KeyError: A header is not described here.
    """
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names if COMPONENTS[name]}
