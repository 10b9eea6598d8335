"""`/asyncapi` and `/asyncapi.json`: the AsyncAPI document and its page, self-hosted (no CDN)."""

import os
from collections.abc import Callable, Mapping
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.staticfiles import StaticFiles
from typing_extensions import override

PAGE = "/asyncapi"
DOCUMENT = "/asyncapi.json"
STATIC = "/asyncapi/static"

# 'unsafe-eval' because the page's parser compiles its JSON schemas to functions.
_CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HTML = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} - Events</title>
<link rel="icon" href="/docs/static/favicon.png">
<link rel="stylesheet" href="{static}/react-component.css">
<link rel="stylesheet" href="{static}/page.css">
</head>
<body>
<div id="asyncapi">Loading …</div>
<script src="{static}/parser.js.gz"></script>
<script src="{static}/react-component.js.gz"></script>
<script type="module" src="{static}/page.js"></script>
</body>
</html>
"""


class _Files(StaticFiles):
    """Static files, some of them stored gzipped."""

    @override
    def file_response(self, full_path: str | os.PathLike[str], *args: Any, **options: Any) -> Response:
        response = super().file_response(full_path, *args, **options)
        if str(full_path).endswith(".gz"):
            response.headers["Content-Encoding"] = "gzip"
        return response


def install_asyncapi(app: FastAPI, create: Callable[[], Mapping[str, Any]]) -> None:
    """Serve `/asyncapi` and `/asyncapi.json`; call it in debug environments only.

    Args:
        app: The application.
        create: Creates the document, once somebody asks for it. The host of its servers is replaced with the host of
            the request.
    """
    document = cache(create)
    content = _HTML.format(title=escape(app.title), static=STATIC)

    async def serve_page() -> Response:
        return HTMLResponse(content, headers={"Content-Security-Policy": _CONTENT_SECURITY_POLICY})

    async def serve_document(request: Request) -> Response:
        host = {"host": request.url.netloc, "protocol": "wss" if request.url.scheme == "https" else "ws"}
        servers = {name: {**server, **host} for name, server in document()["servers"].items()}
        return JSONResponse({**document(), "servers": servers})

    app.add_api_route(PAGE, serve_page, include_in_schema=False)
    app.add_api_route(DOCUMENT, serve_document, include_in_schema=False)
    app.mount(STATIC, _Files(directory=Path(__file__).parent / "vendor" / "asyncapi"))
