"""`/docs` and `/redoc`: Swagger UI and ReDoc, self-hosted from an installed package (no CDN)."""

from collections.abc import Awaitable, Callable
from importlib.resources import files
from pathlib import Path

from fastapi import FastAPI
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html, get_swagger_ui_oauth2_redirect_html
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles

_STATIC = "/docs/static"
_OAUTH2_REDIRECT = "/docs/oauth2-redirect"
# Both pages start with an inline script, and ReDoc's search runs in a worker that is created from a blob.
_CONTENT_SECURITY_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; worker-src blob:; frame-ancestors 'none'"
)
_START = "const ui = SwaggerUIBundle({"
_FAVICON = f"{_STATIC}/favicon.png"


def install_docs(app: FastAPI) -> None:
    """Serve `/docs` and `/redoc`; call it in debug environments only."""
    openapi_url = str(app.openapi_url)
    swagger = _with_encryption(
        get_swagger_ui_html(
            openapi_url=openapi_url,
            title=app.title,
            oauth2_redirect_url=_OAUTH2_REDIRECT,
            swagger_js_url=f"{_STATIC}/swagger-ui-bundle.js",
            swagger_css_url=f"{_STATIC}/swagger-ui.css",
            swagger_favicon_url=_FAVICON,
            swagger_ui_parameters={
                "persistAuthorization": True,
                "displayRequestDuration": True,
                "defaultModelsExpandDepth": 0,
            },
        )
    )
    redoc = get_redoc_html(
        openapi_url=openapi_url,
        title=app.title,
        redoc_js_url=f"{_STATIC}/redoc.standalone.js",
        redoc_favicon_url=_FAVICON,
        with_google_fonts=False,
    )
    pages = {"/docs": swagger, "/redoc": redoc, _OAUTH2_REDIRECT: get_swagger_ui_oauth2_redirect_html()}
    for path, page in pages.items():
        app.add_api_route(path, _serve(page), include_in_schema=False)
    app.mount(_STATIC, StaticFiles(directory=str(files("fastapi_offline") / "static")))


def _with_encryption(page: HTMLResponse) -> HTMLResponse:
    """Swagger UI that encrypts the passwords of its requests: the server takes no plain text, here as elsewhere."""
    script = Path(__file__).with_name("encrypt_passwords.js").read_text()
    html = bytes(page.body).decode()
    assert _START in html  # noqa: S101 - FastAPI's page
    return HTMLResponse(html.replace(_START, f"{script}\n{_START}requestInterceptor: encryptPasswords,", 1))


def _serve(page: HTMLResponse) -> Callable[[], Awaitable[Response]]:
    content, headers = page.body, {"Content-Security-Policy": _CONTENT_SECURITY_POLICY}

    async def serve() -> Response:
        # A new response for each request, since middlewares add headers to it.
        return HTMLResponse(content, headers=headers)

    return serve
