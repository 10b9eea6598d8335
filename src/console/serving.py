"""`/console`: serves the built files of the console, which is a page that uses the API like any other client."""

from html import escape
from mimetypes import guess_type
from pathlib import Path

from fastapi import FastAPI, HTTPException
from fastapi.routing import iter_route_contexts
from starlette.responses import HTMLResponse, Response

from src.core.security.access import declare_permission

PAGE = "/console"
ASSET = "/console/assets/{name:path}"
PLACE = "/console/{place:path}"
BUILT = Path(__file__).parent / "built"

USE_CONSOLE = declare_permission("console.use", "Use the console where it is restricted to holders of this permission")

_NOT_RESTRICTED = '<meta name="console-permission" content="">'
_RESTRICTED = f'<meta name="console-permission" content="{USE_CONSOLE}">'
_NOTHING_ABSENT = '<meta name="console-absent" content="">'
_NO_COOKIE = '<meta name="console-cookie" content="">'
_COOKIE = '<meta name="console-cookie" content="on">'
_IMMUTABLE = "public, max-age=31536000, immutable"  # the names of the files change with their content


# What settings switch off: the page leaves out what needs these routes.
OPTIONAL = (
    *("/api/v1/api-keys", "/api/v1/service-accounts", "/api/v1/auth/factors", "/api/v1/auth/login/passkey"),
    *("/api/v1/auth/oidc", "/api/v1/auth/identities", "/api/v1/auth/devices", "/api/v1/users/{userId}/factors"),
    *("/api/v1/users/{userId}/act-as", "/api/v1/auth/account/export", "/api/v1/auth/account/deletion"),
    *("/api/v1/users/invitations", "/api/v1/ops/caught-emails"),
)


def install_console(app: FastAPI, *, storage: str | None, restricted: bool, cookie: bool) -> None:
    """Serve the console. The page itself is public: it holds no data, and the API decides what its user may do.

    Args:
        app: The application.
        storage: The origin of presigned URLs, which the page may send files to.
        restricted: Whether the page refuses users who do not hold `console.use`.
        cookie: Whether the page asks for its refresh token in a cookie.
    """
    policy = {"Content-Security-Policy": _content_security_policy(storage), "Cache-Control": "no-cache"}
    html = (BUILT / "index.html").read_text()
    assets = {path.name.removesuffix(".gz"): path.read_bytes() for path in (BUILT / "assets").glob("*.gz")}
    if restricted:
        html = html.replace(_NOT_RESTRICTED, _RESTRICTED)
    if cookie:
        html = html.replace(_NO_COOKIE, _COOKIE)
    html = html.replace(_NOTHING_ABSENT, f'<meta name="console-absent" content="{" ".join(_absent(app))}">')

    async def serve_page() -> Response:
        return HTMLResponse(html, headers=policy)

    async def serve_place() -> Response:
        """The same page: its script reads the address."""
        return HTMLResponse(html, headers=policy)

    async def serve_asset(name: str) -> Response:
        if name not in assets:
            raise HTTPException(404)
        headers = {"Content-Encoding": "gzip", "Cache-Control": _IMMUTABLE}
        return Response(assets[name], media_type=guess_type(name)[0], headers=headers)

    app.add_api_route(ASSET, serve_asset, include_in_schema=False)
    app.add_api_route(PAGE, serve_page, include_in_schema=False)
    app.add_api_route(PLACE, serve_place, include_in_schema=False)


def _absent(app: FastAPI) -> list[str]:
    paths = [str(route.path) for route in iter_route_contexts(app.routes)]
    return [optional for optional in OPTIONAL if not any(path.startswith(optional) for path in paths)]


def _content_security_policy(storage: str | None) -> str:
    """Nothing but own files, no inline script or style; files are sent to the storage, and shown from memory."""
    connect = " ".join(filter(None, ("'self'", escape(storage or ""))))
    return (
        f"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src {connect}; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
