"""The composition: what exists where, and what stops the start."""

import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI

from scripts.bench.production import NO_FEATURES
from src.api import access
from src.core.config import Settings
from src.core.config.app import Environment
from src.main import create_app, server
from tests.support.fork_server import run_python
from tests.support.stores import ROOT

DEBUG_ONLY = [
    "/docs",
    "/redoc",
    "/openapi.json",
    "/docs/static/swagger-ui-bundle.js",
    "/docs/oauth2-redirect",
    "/asyncapi",
    "/asyncapi.json",
    "/asyncapi/static/parser.js.gz",
]


def app_in(environment: Environment) -> FastAPI:
    settings = Settings.load()
    settings.app = settings.app.model_copy(update={"environment": environment})
    return create_app(settings, server)


@pytest.fixture(scope="module", params=["LOCAL", "TESTING", "STAGING"])
async def debug(request: pytest.FixtureRequest) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app_in(Environment(request.param)))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


@pytest.fixture(scope="module")
async def production() -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app_in(Environment.PRODUCTION))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


@pytest.mark.usefixtures("resources")
class TestDebug:
    @pytest.mark.parametrize("path", DEBUG_ONLY)
    async def test_the_documentation_is_served(self, debug: httpx.AsyncClient, path: str) -> None:
        assert (await debug.get(path)).status_code == 200

    @pytest.mark.parametrize("path", ["/docs", "/redoc", "/asyncapi"])
    async def test_its_pages_need_no_other_host(self, debug: httpx.AsyncClient, path: str) -> None:
        page = (await debug.get(path)).text
        assert 'src="http' not in page
        assert 'href="http' not in page


@pytest.mark.usefixtures("resources")
class TestProduction:
    @pytest.mark.parametrize("path", DEBUG_ONLY)
    async def test_there_is_no_documentation(self, production: httpx.AsyncClient, path: str) -> None:
        assert (await production.get(path)).status_code == 404

    async def test_the_api_is_there(self, production: httpx.AsyncClient) -> None:
        assert (await production.get("/api/v1/notices")).status_code == 401

    async def test_browsers_are_told_to_stay_with_https(self, production: httpx.AsyncClient) -> None:
        assert "Strict-Transport-Security" in (await production.get("/livez")).headers


@pytest.mark.usefixtures("resources")
class TestRow25SwaggerLogin:
    async def test_exists_where_debugging_is(self, debug: httpx.AsyncClient) -> None:
        assert (await debug.post("/api/v1/auth/login/swagger")).status_code == 422

    async def test_does_not_exist_in_production(self, production: httpx.AsyncClient) -> None:
        form = {"username": "admin", "password": "123456"}
        assert (await production.post("/api/v1/auth/login/swagger", data=form)).status_code == 404


UNGUARDED = """
from fastapi import APIRouter
from src import main
router = APIRouter(prefix="/api/v1")
@router.get("/open")
async def leak() -> str: ...
main.rest.include_router(router)
main.create_registry(main.rest, main.server, main.settings)
"""


class TestRow33Start:
    @pytest.mark.process
    def test_a_route_without_a_guard_stops_it_by_name(self) -> None:
        ended = run_python("-c", UNGUARDED)
        assert "GET:/api/v1/open is neither guarded nor listed" in ended.stderr

    @pytest.mark.parametrize("code", ["POST:/api/v1/auth/login", "POST:/api/v1/auth/logout"])
    def test_a_listing_is_needed(self, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
        monkeypatch.setattr(access, "PUBLIC", access.PUBLIC - {code})
        monkeypatch.setattr(access, "SESSION_ROUTES", access.SESSION_ROUTES - {code})
        with pytest.raises(RuntimeError, match=re.escape(code)):
            app_in(Environment.TESTING)


LOADED = """
import gc, sys
sys.modules["requests"] = None  # as in the image: engineio imports it where an extra has installed it
import src.main
assert gc.isenabled()
print(*sys.modules)
"""
LATE = {"celery", "amqp", "minio", "urllib3", "alembic", "rich", "sqlalchemy.dialects.mysql", "src.queues.app"}
LATE |= {"authlib", "joserfc", "httpx2", "jinja2", "aiosmtplib", "src.api.v1.oidc"}
LATE |= {"webauthn", "OpenSSL", "cbor2", "pyotp", "segno"}

OF_FEATURES = re.compile(
    r"src\.(api|core|crud|deps|schemas|services)\."
    r".*(account|act_as|api_key|device|email|factor|impersonation|invitation|oidc|passkey|recovery_code|secret_box)"
)
NEEDED_WITHOUT = {
    "src.core.config.identity.email",
    "src.core.config.identity.factors",
    "src.core.config.identity.oidc",
    "src.core.oidc",
    "src.core.oidc.errors",
    "src.core.security.api_key",
    "src.crud.api_key",
    "src.crud.email_link",
    "src.crud.user_factor",
    "src.deps.api_key_claims",
    "src.schemas.factor_challenge",
    "src.services.email",
    "src.services.email_link",
}
"""Modules of optional features that the rest imports; each is small."""


def loaded(**settings: str) -> set[str]:
    """Names of the modules that a web process with these settings has imported."""
    command, environment = [sys.executable, "-c", LOADED], {**os.environ, **settings}
    ended = subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True)  # noqa: S603 - our own
    return set(ended.stdout.split())


@pytest.mark.process
class TestLightStart:
    def test_what_not_every_process_needs_waits_for_its_first_use(self) -> None:
        assert loaded() & LATE == set()

    def test_modules_of_features_that_are_off_are_not_imported(self) -> None:
        assert {name for name in loaded(**NO_FEATURES) if OF_FEATURES.match(name)} == NEEDED_WITHOUT
