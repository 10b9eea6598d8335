import json
from typing import Any
from uuid import uuid4

import pytest

from src.core.resources import Resources
from tests.support.login import encrypted
from tests.support.people import PASSWORD, People, Person
from tests.support.served import Served
from tests.support.waiting import eventually

pytestmark = pytest.mark.process

KEYS = "/api/v1/auth/keys/public"


async def lines(served: Served, request_id: str) -> list[dict[str, Any]]:
    """The log of a request, once its last line is written."""

    def complete() -> list[dict[str, Any]]:
        entries = [json.loads(line) for line in served.output.read_text().splitlines() if request_id in line]
        return entries if any(entry["event"] == "request" for entry in entries) else []

    return await eventually(complete)


async def logged(served: Served, method: str, path: str, **options: Any) -> list[dict[str, Any]]:
    request_id = str(uuid4())
    options["headers"] = {**options.get("headers", {}), "X-Request-ID": request_id}
    await served.client.request(method, path, **options)
    return await lines(served, request_id)


class TestAccessLog:
    async def test_a_request_is_one_line(self, served: Served) -> None:
        (entry,) = await logged(served, "GET", KEYS)
        assert (entry["method"], entry["path"], entry["status"]) == ("GET", KEYS, 200)

    async def test_it_says_how_long_it_took(self, served: Served) -> None:
        (entry,) = await logged(served, "GET", KEYS)
        assert entry["ms"] >= 0

    async def test_a_query_is_not_in_it(self, served: Served) -> None:
        assert "hunter2" not in json.dumps(await logged(served, "GET", f"{KEYS}?token=hunter2"))

    async def test_a_line_break_in_a_path_makes_no_second_line(self, served: Served) -> None:
        (entry,) = await logged(served, "GET", '/livez%0A{"event":"forged"}')
        assert entry["status"] == 404


class TestRequestId:
    async def test_every_line_of_a_request_has_its_id(self, served: Served) -> None:
        form = {"username": f"nobody-{uuid4()}", "password": "wrong"}
        entries = await logged(served, "POST", "/api/v1/auth/login/swagger", data=form)
        assert {"login_failed", "request"} <= {entry["event"] for entry in entries}


class TestRow45Secrets:
    async def test_a_login_logs_neither_password_nor_token(self, served: Served, served_admin: Person) -> None:
        form = {"username": served_admin.user.username, "password": PASSWORD}
        answer = await served.client.post("/api/v1/auth/login/swagger", data=form)
        await logged(served, "GET", KEYS)
        output = served.output.read_text()
        assert PASSWORD not in output
        assert answer.json()["access_token"] not in output

    async def test_a_failed_login_logs_no_password(self, served: Served) -> None:
        form = {"username": f"nobody-{uuid4()}", "password": "hunter2-hunter2"}
        await logged(served, "POST", "/api/v1/auth/login/swagger", data=form)
        assert "hunter2-hunter2" not in served.output.read_text()

    async def test_a_refused_token_is_not_logged(self, served: Served) -> None:
        headers = {"Authorization": "Bearer hunter3.hunter3.hunter3", "X-Refresh-Token": "hunter3"}
        await logged(served, "GET", "/api/v1/notices", headers=headers)
        await logged(served, "POST", "/api/v1/auth/token/refresh", headers=headers)
        assert "hunter3" not in served.output.read_text()

    async def test_a_session_logs_only_ids(self, served: Served, resources: Resources) -> None:
        async with resources.unit_of_work() as uow:
            person = await People(uow, resources).create()
        client, name = served.client, person.user.username
        body = {"username": name, **await encrypted(client)}
        pair = (await client.post("/api/v1/auth/login", json=body)).json()["data"]
        agent = {"User-Agent": client.headers["User-Agent"]}
        refresh = {"X-Refresh-Token": pair["refreshToken"], **agent}
        next_pair = (await client.post("/api/v1/auth/token/refresh", headers=refresh)).json()["data"]
        await client.post("/api/v1/auth/token/refresh", headers={**refresh, "User-Agent": "thief"})
        headers = {"Authorization": f"Bearer {next_pair['accessToken']}"}
        first, second = await encrypted(client), await encrypted(client, "a new and long enough one")
        change = {"oldPassword": first["password"], "newPassword": second["password"], "kid": first["kid"]}
        await client.put("/api/v1/auth/password", json=change, headers=headers)
        await logged(served, "POST", "/api/v1/auth/logout", headers=headers)
        output = served.output.read_text()
        tokens = [made[kind] for made in (pair, next_pair) for kind in ("accessToken", "refreshToken")]
        secrets = [PASSWORD, "a new and long enough one", body["password"], *change.values(), *tokens]
        assert [secret for secret in secrets if secret != first["kid"] and secret in output] == []
        entries = [json.loads(line) for line in output.splitlines() if str(person.user.id) in line]
        assert {"login", "refresh_failed", "password_changed", "session_ended"} <= {each["event"] for each in entries}
