"""Refuses S3 requests that nanio would misinterpret.

nanio ignores every sub-resource and header that it does not know and performs the plain operation instead:
`PUT ?tagging` overwrites the object, `DELETE ?policy` removes the bucket. So everything that is not listed here is
answered with S3's 501.
"""

from collections.abc import Set
from typing import NamedTuple
from urllib.parse import parse_qsl

from nanio.app import build_app as build_nanio  # type: ignore[import-untyped] # ships no types
from starlette.datastructures import MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SIGNATURE = {f"X-Amz-{part}" for part in ("Algorithm", "Credential", "Date", "Expires", "SignedHeaders", "Signature")}
NO_EFFECT = {"x-id", "X-Amz-Content-Sha256"}
FILTERS = {"prefix", "delimiter", "key-marker", "upload-id-marker"}  # select nothing when they are empty
LISTING = {"list-type", "max-keys", "continuation-token", "start-after", "encoding-type", "fetch-owner"}
OVERRIDES = {
    f"response-{name}": name
    for name in (
        "content-type", "content-disposition", "content-encoding", "content-language", "cache-control", "expires",
    )
}  # fmt: skip
HEADERS = {"date", "content-sha256", "decoded-content-length", "user-agent", "sdk-checksum-algorithm", "trailer"}
HEADER_FAMILIES = ("x-amz-meta-", "x-amz-checksum-")


class Operation(NamedTuple):
    """An S3 operation, identified by its path and query."""

    level: str
    methods: str
    required: Set[str] = frozenset()
    optional: Set[str] = frozenset()


OPERATIONS = (
    Operation("service", "GET HEAD"),
    Operation("bucket", "HEAD PUT DELETE"),
    Operation("bucket", "GET", optional=LISTING | {"prefix", "delimiter"}),
    Operation("bucket", "GET", {"location"}),
    Operation("bucket", "GET", {"uploads"}, {"encoding-type", "max-uploads"}),
    Operation("bucket", "POST", {"delete"}),
    Operation("object", "GET HEAD", optional=OVERRIDES.keys()),
    Operation("object", "PUT DELETE"),
    Operation("object", "PUT", {"partNumber", "uploadId"}),
    Operation("object", "POST", {"uploads"}),
    Operation("object", "GET", {"uploadId"}, {"max-parts", "part-number-marker", "encoding-type"}),
    Operation("object", "POST DELETE", {"uploadId"}),
)


def build_app() -> ASGIApp:
    """nanio, configured by its `NANIO_*` variables, behind the guard; signed URLs work from any origin."""
    return CORSMiddleware(
        S3Guard(build_nanio()),
        allow_origins=["*"],
        allow_methods=["GET", "HEAD", "PUT"],
        allow_headers=["*"],
        expose_headers=["ETag", "Content-Range"],
    )


class S3Guard:
    """ASGI middleware; also adds the `response-*` overrides of presigned downloads, which nanio ignores."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward a request that nanio handles correctly; respond 501 to any other."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        request = Request(scope)
        query = dict(parse_qsl(request.url.query, keep_blank_values=True))
        if not (_is_known(request, query) and _has_known_headers(request, query)):
            return await _not_implemented(scope, receive, send)
        overrides = {header: query[name] for name, header in OVERRIDES.items() if name in query}

        async def send_overridden(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["X-Content-Type-Options"] = "nosniff"  # as MinIO does
                headers.update(overrides if message["status"] < 300 else {})
            await send(message)

        return await self._app(scope, receive, send_overridden)


def _is_known(request: Request, query: dict[str, str]) -> bool:
    names = {name for name, value in query.items() if value or name not in FILTERS} - SIGNATURE - NO_EFFECT
    bucket, _, key = request.url.path.removeprefix("/").partition("/")
    level = "object" if key else "bucket" if bucket else "service"
    return any(
        level == operation.level
        and request.method in operation.methods.split()
        and operation.required <= names <= operation.required | operation.optional
        for operation in OPERATIONS
    )


def _has_known_headers(request: Request, query: dict[str, str]) -> bool:
    names = set(request.headers.keys())
    unknown = {name for name in names if name.startswith("x-amz-") and not name.startswith(HEADER_FAMILIES)}
    unknown -= {f"x-amz-{name}" for name in HEADERS}
    if request.method == "PUT" and "uploadId" not in query:
        unknown.discard("x-amz-copy-source")  # without uploadId, nanio would store the empty body
    is_conditional_write = request.method not in ("GET", "HEAD") and any(name.startswith("if-") for name in names)
    return not unknown and not is_conditional_write


_not_implemented = Response(
    '<?xml version="1.0" encoding="UTF-8"?><Error><Code>NotImplemented</Code><Message>The embedded S3 server does not '
    "implement this.</Message></Error>",
    status_code=501,
    media_type="application/xml",
)
