import gzip
import hashlib
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from src.api.asyncapi import DOCUMENT, install_asyncapi
from tests.support.stores import ROOT

VENDOR = ROOT / "src/api/vendor/asyncapi"
SUMS = [line.split() for line in (VENDOR / "SHA256SUMS").read_text().splitlines()]


class TestTheDocument:
    async def test_names_the_server_that_it_came_from(self, client: httpx.AsyncClient) -> None:
        document = (await client.get("https://events.example:8443/asyncapi.json")).json()
        assert document["asyncapi"] == "3.0.0"
        server = document["servers"]["socketio"]
        assert (server["host"], server["protocol"], server["pathname"]) == ("events.example:8443", "wss", "/socket.io")

    async def test_is_created_once_and_not_at_the_start(self) -> None:
        created: list[dict[str, Any]] = []

        def create() -> dict[str, Any]:
            created.append({"servers": {}})
            return created[0]

        app = FastAPI()
        install_asyncapi(app, create)
        assert created == []
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            assert [(await client.get(DOCUMENT)).status_code for _ in range(2)] == [200, 200]
        assert len(created) == 1

    async def test_is_linked_from_swagger(self, client: httpx.AsyncClient) -> None:
        assert "(/asyncapi)" in (await client.get("/openapi.json")).json()["info"]["description"]


class TestThePage:
    async def test_is_the_only_one_that_may_use_eval(self, client: httpx.AsyncClient) -> None:
        policies = {
            path: (await client.get(path)).headers["Content-Security-Policy"]
            for path in ("/asyncapi", "/docs", "/redoc", "/asyncapi.json", "/livez", "/asyncapi/static/page.js")
        }
        assert [path for path, policy in policies.items() if "unsafe-eval" in policy] == ["/asyncapi"]

    async def test_runs_no_inline_script(self, client: httpx.AsyncClient) -> None:
        policy = (await client.get("/asyncapi")).headers["Content-Security-Policy"]
        scripts = next(part for part in policy.split("; ") if part.startswith("script-src"))
        assert scripts == "script-src 'self' 'unsafe-eval'"
        assert "frame-ancestors 'none'" in policy

    @pytest.mark.parametrize("name", [name for _, name in SUMS])
    async def test_has_its_files(self, client: httpx.AsyncClient, name: str) -> None:
        response = await client.get(f"/asyncapi/static/{name}")
        expected = (VENDOR / name).read_bytes()
        assert response.content == (gzip.decompress(expected) if name.endswith(".gz") else expected)
        assert response.headers["Content-Type"].startswith(("text/javascript", "text/css"))

    @pytest.mark.parametrize(("digest", "name"), SUMS)
    def test_files_have_the_published_checksums(self, digest: str, name: str) -> None:
        assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == digest
