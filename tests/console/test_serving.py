"""The console's files: served as built, within their budget, under their own content security policy."""

import re
import subprocess
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from src.console.serving import BUILT
from src.core.config import Settings
from src.core.config.app import Environment
from src.main import create_app, server
from tests.support.stores import ROOT

APP = ROOT / "src/console/app/src"
TEXTS = APP / "en.ts", APP / "zh.ts"
FIRST_LOAD_BYTES = 300_000
SHARED_LINES = 1_500
PAGE_LINES = 160
ALL_LINES = 2_500
# Those that the console comes with; a project's own add nothing to the sum.
PAGES = {
    *("Account", "ApiKeys", "AuditLog", "CaughtEmails", "Clients", "DeadLetters", "Files", "Health", "Invitations"),
    *("Notices", "Overview", "Roles", "Runs", "Schedules", "Tasks", "Users"),
}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'{storage}; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def client_of(environment: Environment, *, enabled: bool | None = None, storage: str = "") -> httpx.AsyncClient:
    settings = Settings.load()
    app = {"environment": environment, "console_enabled": enabled}
    settings.app = settings.app.model_copy(update=app)
    settings.s3 = settings.s3.model_copy(update={"public_endpoint_setting": storage})
    return of(create_app(settings, server))


def of(app: FastAPI) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")


class TestFiles:
    async def test_the_page_names_only_files_that_are_served(self, client: httpx.AsyncClient) -> None:
        page = (await client.get("/console")).text
        named = re.findall(r'(?:src|href)="([^"]+)"', page)
        assert {name.rpartition(".")[2] for name in named} == {"js", "css", "svg"}
        for name in named:
            response = await client.get(name)
            assert (response.status_code, response.headers["content-encoding"]) == (200, "gzip")
            assert "immutable" in response.headers["cache-control"]

    @pytest.mark.parametrize("name", ["other.js", "..%2Findex.html", "index.html"])
    async def test_no_other_file_is(self, client: httpx.AsyncClient, name: str) -> None:
        assert (await client.get(f"/console/assets/{name}")).status_code == 404

    @pytest.mark.parametrize("place", ["/", "/users", "/runs?state=FAILURE&open=1"])
    async def test_a_link_into_the_console_leads_to_the_page(self, client: httpx.AsyncClient, place: str) -> None:
        assert (await client.get(f"/console{place}")).text == (await client.get("/console")).text

    def test_are_within_the_budget(self) -> None:
        assert sum(path.stat().st_size for path in BUILT.rglob("*")) <= FIRST_LOAD_BYTES

    def test_are_built_from_the_source(self) -> None:
        done = subprocess.run([ROOT / "scripts/console.sh", "--check"], capture_output=True, text=True)  # noqa: S603 - ours
        assert (done.returncode, done.stderr) == (0, "")

    def test_the_lock_file_names_no_registry(self) -> None:
        assert '"resolved"' not in (APP.parent / "package-lock.json").read_text()

    def test_the_source_is_small(self) -> None:
        lines = {path: len(path.read_text().splitlines()) for path in APP.rglob("*.*") if path not in TEXTS}
        pages = {path: lines.pop(path) for path in list(lines) if "pages" in path.relative_to(APP).parts}
        assert max(pages.values()) <= PAGE_LINES
        own = [count for path, count in pages.items() if path.stem in PAGES or path.parent.name == "parts"]
        # A feature's page is not counted, nor is its line of the menu.
        shared = sum(lines.values()) - (len(pages) - len(own))
        assert shared <= SHARED_LINES
        assert shared + sum(own) <= ALL_LINES


class TestPolicy:
    async def test_allows_no_inline_script_and_no_other_host(self, client: httpx.AsyncClient) -> None:
        page = await client.get("/console")
        assert re.fullmatch(
            re.escape(POLICY).replace(r"\{storage\}", r"( http://[\w.:]+)?"), page.headers["content-security-policy"]
        )
        assert not re.search(r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=|https?://", page.text)

    async def test_allows_uploads_to_the_storage(self) -> None:
        async with client_of(Environment.TESTING, storage="https://files.example:9000/path") as client:
            policy = (await client.get("/console")).headers["content-security-policy"]
        assert policy == POLICY.format(storage=" https://files.example:9000")


class TestWhereItIs:
    @pytest.mark.parametrize(
        ("environment", "enabled", "status"),
        [
            (Environment.STAGING, None, 200),
            (Environment.STAGING, False, 404),
            (Environment.PRODUCTION, None, 404),
            (Environment.PRODUCTION, True, 200),
        ],
    )
    async def test_is_as_set(self, environment: Environment, enabled: bool | None, status: int) -> None:
        async with client_of(environment, enabled=enabled) as client:
            assert (await client.get("/console/users")).status_code == status

    async def test_in_production_only_for_holders_of_its_permission(self, client: httpx.AsyncClient) -> None:
        async with client_of(Environment.PRODUCTION, enabled=True) as production:
            assert 'name="console-permission" content="console.use"' in (await production.get("/console")).text
        assert 'name="console-permission" content=""' in (await client.get("/console")).text

    async def test_asks_for_the_cookie_where_it_is_switched_on(self, client: httpx.AsyncClient) -> None:
        settings = Settings.load()
        settings.auth = settings.auth.model_copy(update={"refresh_cookie_enabled": True})
        async with of(create_app(settings, server)) as other:
            assert 'name="console-cookie" content="on"' in (await other.get("/console")).text
        assert 'name="console-cookie" content=""' in (await client.get("/console")).text

    async def test_names_what_is_switched_off(self, client: httpx.AsyncClient, tmp_path: Path) -> None:
        settings = Settings.load()
        settings.auth = settings.auth.model_copy(update={"api_keys_enabled": False})
        update = {"smtp_url": SecretStr("smtp://localhost"), "caught_directory": tmp_path}
        settings.email = settings.email.model_copy(update=update)
        async with of(create_app(settings, server)) as other:
            pages = [(await each.get("/console")).text for each in (other, client)]
        changed, default = [
            set(page.partition('console-absent" content="')[2].partition('"')[0].split()) for page in pages
        ]
        assert changed - default == {"/api/v1/api-keys", "/api/v1/service-accounts"}
        assert default - changed == {"/api/v1/users/invitations", "/api/v1/ops/caught-emails"}
