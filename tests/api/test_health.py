import asyncio
import re

import httpx
import pytest
from pydantic import SecretStr

from src.core.config.app import Environment
from src.core.health import StoreHealth, check_stores
from src.core.resources import Resources
from src.main import rest
from tests.support.people import Person


class TestMetrics:
    async def test_requests_are_counted_by_template(self, client: httpx.AsyncClient, admin: Person) -> None:
        await client.get(f"/api/v1/notices/{admin.user.id}", headers=admin.headers)
        assert 'route="GET:/api/v1/notices/{noticeId}",status="404"' in (await client.get("/metrics")).text

    async def test_unknown_paths_share_one_series(self, client: httpx.AsyncClient) -> None:
        await client.get("/api/v1/unheard-of")
        assert "unheard-of" not in (await client.get("/metrics")).text

    async def test_they_are_in_the_format_of_prometheus(self, client: httpx.AsyncClient) -> None:
        assert (await client.get("/metrics")).headers["Content-Type"].startswith("text/plain; version=")


class TestEscalation11Series:
    async def test_durations_do_not_multiply_by_status(self, client: httpx.AsyncClient, admin: Person) -> None:
        before = self.timed_routes((await client.get("/metrics")).text)  # also of other applications in this process
        for path in ("/api/v1/roles", f"/api/v1/roles/{admin.user.id}", "/livez", "/nowhere"):
            for method in ("GET", "POST", "DELETE", "PATCH", "PUT"):
                for headers in ({}, admin.headers, {"Authorization": "Bearer x"}):
                    await client.request(method, path, headers=headers, json={})
        lines = (await client.get("/metrics")).text.splitlines()
        durations = [line for line in lines if line.startswith("http_request_seconds_bucket")]
        routes = {code for route in rest.state.registry.routes if (code := route.code)} | {"other"} | before
        assert self.timed_routes("\n".join(durations)) <= routes
        assert len(durations) <= 9 * len(routes)
        assert not any("_created" in line for line in lines)

    def timed_routes(self, metrics: str) -> set[str]:
        return set(re.findall(r'^http_request_seconds_bucket{.*?route="([^"]+)"', metrics, re.MULTILINE))


TOKEN = "a-token-that-is-long-enough"


@pytest.fixture
def secured(resources: Resources, monkeypatch: pytest.MonkeyPatch) -> None:
    app = resources.settings.app.model_copy(update={"metrics_token": SecretStr(TOKEN)})
    monkeypatch.setattr(resources.settings, "app", app)


class TestEscalation11MetricsToken:
    @pytest.mark.usefixtures("secured")
    @pytest.mark.parametrize("value", ["", TOKEN, f"Bearer {TOKEN}x", "Bearer ", f"Basic {TOKEN}", "Bearer é"])
    async def test_nobody_reads_them_without_the_token(self, client: httpx.AsyncClient, value: str) -> None:
        response = await client.get("/metrics", headers={b"Authorization": value.encode()})
        assert (response.status_code, response.json()["error"]) == (401, "auth.unauthorized")

    @pytest.mark.usefixtures("secured")
    async def test_its_owner_reads_them(self, client: httpx.AsyncClient) -> None:
        assert (await client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})).status_code == 200

    @pytest.mark.parametrize("environment", [Environment.STAGING, Environment.PRODUCTION])
    async def test_a_deployed_process_without_a_token_has_none(
        self,
        client: httpx.AsyncClient,
        resources: Resources,
        monkeypatch: pytest.MonkeyPatch,
        environment: Environment,
    ) -> None:
        app = resources.settings.app.model_copy(update={"environment": environment})
        monkeypatch.setattr(resources.settings, "app", app)
        assert (await client.get("/metrics")).status_code == 404


class TestReadiness:
    async def test_those_who_ask_at_once_share_one_check(
        self, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        checks = 0

        async def check(resources: Resources) -> dict[str, StoreHealth]:
            nonlocal checks
            checks += 1
            await asyncio.sleep(0.1)
            return await check_stores(resources)

        monkeypatch.setattr("src.api.health.check_stores", check)
        answers = await asyncio.gather(*(client.get("/readyz") for _ in range(20)))
        assert ({answer.status_code for answer in answers}, checks) == ({200}, 1)


class TestLiveness:
    async def test_it_needs_no_token(self, client: httpx.AsyncClient) -> None:
        assert (await client.get("/livez")).json() == {"status": "ok"}
