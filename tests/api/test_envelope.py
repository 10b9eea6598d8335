import time
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI

from src.core.config import settings
from src.core.unit_of_work import UnitOfWork
from src.main import app, create_app, rest, server
from tests.support.people import People, Person

NOTICES = "/api/v1/notices"
LIMIT = settings.app.max_body_bytes
SUCCESS = {"code", "message", "ts", "data"}
FAILURE = SUCCESS | {"error", "requestId"}


class TestSuccess:
    async def test_it_has_four_keys(self, client: httpx.AsyncClient, admin: Person) -> None:
        assert (await client.get(NOTICES, headers=admin.headers)).json().keys() == SUCCESS

    async def test_the_code_repeats_the_status(self, client: httpx.AsyncClient, admin: Person) -> None:
        response = await client.get(NOTICES, headers=admin.headers)
        assert response.status_code == response.json()["code"] == 200

    async def test_creating_is_201(self, client: httpx.AsyncClient, admin: Person) -> None:
        body = {"title": "t", "body": "b", "expiresAt": "2999-01-01T00:00:00Z"}
        response = await client.post(NOTICES, headers=admin.headers, json=body)
        assert response.status_code == response.json()["code"] == 201

    async def test_the_time_is_in_unix_seconds(self, client: httpx.AsyncClient) -> None:
        assert abs((await client.get("/api/v1/auth/keys/public")).json()["ts"] - time.time()) < 5

    async def test_it_must_not_be_cached(self, client: httpx.AsyncClient) -> None:
        assert (await client.get("/api/v1/auth/keys/public")).headers["Cache-Control"] == "no-store"


async def failure(client: httpx.AsyncClient, method: str, path: str, person: Person | None, **options: Any) -> Any:
    response = await client.request(method, path, headers=person.headers if person else {}, **options)
    assert response.status_code == response.json()["code"]
    return response


class TestFailure:
    async def test_401_says_how_to_authenticate(self, client: httpx.AsyncClient) -> None:
        response = await failure(client, "GET", NOTICES, None)
        assert (response.status_code, response.headers["WWW-Authenticate"]) == (401, "Bearer")

    async def test_403_has_its_name(self, client: httpx.AsyncClient, people: People) -> None:
        response = await failure(client, "GET", NOTICES, await people.create())
        assert (response.status_code, response.json()["error"]) == (403, "auth.permission_denied")

    async def test_404_for_a_row(self, client: httpx.AsyncClient, admin: Person) -> None:
        response = await failure(client, "GET", f"{NOTICES}/{uuid4()}", admin)
        assert (response.status_code, response.json()["error"]) == (404, "resource.not_found")

    @pytest.mark.parametrize("path", ["/api/v1/nothing", "/api/v9", "/api", f"{NOTICES}/", "/nothing"])
    async def test_404_for_a_path(self, client: httpx.AsyncClient, admin: Person, path: str) -> None:
        assert (await failure(client, "GET", path, admin)).status_code == 404

    @pytest.mark.parametrize("method", ["DELETE", "PATCH", "PUT"])
    async def test_405_says_what_is_allowed(self, client: httpx.AsyncClient, admin: Person, method: str) -> None:
        response = await failure(client, method, "/api/v1/auth/user/info", admin)
        assert (response.status_code, response.headers["Allow"]) == (405, "GET")

    @pytest.mark.parametrize("path", ["/api/v1/nothing", NOTICES, "/api/v1/auth/sessions"])
    async def test_every_failure_has_six_keys(self, client: httpx.AsyncClient, path: str) -> None:
        assert (await failure(client, "GET", path, None)).json().keys() == FAILURE

    async def test_the_body_names_the_request_as_the_header_does(self, client: httpx.AsyncClient) -> None:
        response = await failure(client, "GET", NOTICES, None)
        assert response.json()["requestId"] == response.headers["X-Request-ID"]


INVALID: list[tuple[bytes, str, str]] = [
    (b"", "body", "missing"),
    (b"{", "body", "json_invalid"),
    (b"[1]", "body", "model_attributes_type"),
    (b'"text"', "body", "model_attributes_type"),
    (b'{"body": "b", "expiresAt": "2999-01-01T00:00:00Z"}', "title", "missing"),
    (b'{"title": 1, "body": "b", "expiresAt": "2999-01-01T00:00:00Z"}', "title", "string_type"),
    (b'{"title": "t", "body": "b", "expiresAt": "2999-01-01T00:00:00"}', "expiresAt", "timezone_aware"),
    (b'{"title": "t", "body": "b", "expiresAt": "2000-01-01T00:00:00Z"}', "expiresAt", "value_error"),
    (b'{"title": "t", "body": "b", "expiresAt": "2999-01-01T00:00:00Z", "id": 1}', "id", "extra_forbidden"),
    (b'{"title": "\\u0000", "body": "b", "expiresAt": "2999-01-01T00:00:00Z"}', "title", "value_error"),
    (b'{"title": "\\ud800", "body": "b", "expiresAt": "2999-01-01T00:00:00Z"}', "title", "value_error"),
]


class TestValidation:
    @pytest.mark.parametrize(("content", "field", "kind"), INVALID)
    async def test_422_names_the_field_in_camel_case(
        self, client: httpx.AsyncClient, admin: Person, content: bytes, field: str, kind: str
    ) -> None:
        headers = {**admin.headers, "Content-Type": "application/json"}
        response = await client.post(NOTICES, headers=headers, content=content)
        entries = [(entry["field"], entry["type"]) for entry in response.json()["data"]]
        assert (response.status_code, entries) == (422, [(field, kind)])

    async def test_422_names_every_field_at_once(self, client: httpx.AsyncClient, admin: Person) -> None:
        response = await client.post(NOTICES, headers=admin.headers, json={"titel": "t"})
        assert {entry["field"] for entry in response.json()["data"]} == {"title", "body", "expiresAt", "titel"}

    async def test_422_names_a_path_parameter(self, client: httpx.AsyncClient, admin: Person) -> None:
        response = await client.get(f"{NOTICES}/7", headers=admin.headers)
        assert [entry["field"] for entry in response.json()["data"]] == ["noticeId"]

    async def test_422_does_not_repeat_what_was_sent(self, client: httpx.AsyncClient) -> None:
        response = await client.post("/api/v1/auth/login", json={"username": ["hunter2"], "password": {"p": "hunter2"}})
        assert "hunter2" not in response.text

    @pytest.mark.parametrize(
        "content", [b"[" * 100_000, b'{"username": ' + b"9" * 5000 + b"}", b'{"username": "\xff"}']
    )
    async def test_a_malformed_body_is_a_client_error(self, client: httpx.AsyncClient, content: bytes) -> None:
        headers = {"Content-Type": "application/json"}
        response = await client.post("/api/v1/auth/login", headers=headers, content=content)
        assert response.status_code in {400, 422}

    @pytest.mark.parametrize("kind", ["text/plain", "application/xml", ""])
    async def test_another_content_type_is_422(self, client: httpx.AsyncClient, kind: str) -> None:
        response = await client.post("/api/v1/auth/login", headers={"Content-Type": kind}, content=b"{}")
        assert response.status_code == 422


async def chunks(size: int) -> AsyncIterator[bytes]:
    for _ in range(0, size, 4096):
        yield b" " * 4096


class TestRow46BodyLimit:
    async def test_one_byte_too_many_is_413(self, client: httpx.AsyncClient) -> None:
        assert (await client.post("/api/v1/auth/login", content=b" " * (LIMIT + 1))).status_code == 413

    async def test_a_body_of_unknown_length_is_counted(self, client: httpx.AsyncClient) -> None:
        response = await failure(client, "POST", "/api/v1/auth/login", None, content=chunks(LIMIT + 4096))
        assert (response.status_code, response.json().keys()) == (413, FAILURE)

    async def test_a_false_content_length_does_not_help(self, client: httpx.AsyncClient) -> None:
        headers = {"Content-Length": "10"}
        response = await client.post("/api/v1/auth/login", headers=headers, content=chunks(LIMIT + 4096))
        assert response.status_code == 413

    async def test_a_body_at_the_limit_is_read(self, client: httpx.AsyncClient) -> None:
        headers = {"Content-Type": "application/json"}
        response = await client.post("/api/v1/auth/login", headers=headers, content=b" " * LIMIT)
        assert response.status_code == 422

    async def test_an_unread_body_of_unknown_length_is_not_buffered(self, client: httpx.AsyncClient) -> None:
        read = 0

        async def large() -> AsyncIterator[bytes]:
            nonlocal read
            while read * 4096 < 100 * LIMIT:
                read += 1
                yield b" " * 4096

        await client.post("/api/v1/auth/login", content=large())
        assert read * 4096 <= LIMIT + 2 * 4096


HEADER_PARAMETERS = sorted(
    {
        parameter["name"].lower()
        for item in rest.openapi()["paths"].values()
        for operation in item.values()
        for parameter in operation.get("parameters", ())
        if parameter["in"] == "header"
    }
)


@pytest.fixture(scope="module")
def shop() -> FastAPI:
    """The application with one allowed CORS origin."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(settings, "cors", settings.cors.model_copy(update={"origins": ["https://shop.example"]}))
        return create_app(settings, server)


@pytest.fixture
async def browser(shop: FastAPI, uow: UnitOfWork) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(shop), base_url="http://test") as browser:
        yield browser


class TestRow41Origins:
    """Which origins may read responses, including errors, in a browser."""

    @pytest.mark.parametrize(
        ("method", "path"),
        [("GET", NOTICES), ("GET", "/api/v1/nothing"), ("PUT", NOTICES), ("POST", "/api/v1/auth/login")],
    )
    async def test_an_error_may_be_read_by_a_listed_origin(
        self, browser: httpx.AsyncClient, method: str, path: str
    ) -> None:
        response = await browser.request(method, path, headers={"Origin": "https://shop.example"})
        assert response.headers["Access-Control-Allow-Origin"] == "https://shop.example"

    @pytest.mark.parametrize(
        "origin", ["https://evil.example", "null", "https://shop.example.evil.example", "http://shop.example"]
    )
    async def test_no_other_origin_may_read(self, browser: httpx.AsyncClient, origin: str) -> None:
        response = await browser.get("/api/v1/auth/keys/public", headers={"Origin": origin})
        assert "Access-Control-Allow-Origin" not in response.headers

    async def test_every_documented_header_may_be_read(self, browser: httpx.AsyncClient) -> None:
        response = await browser.get(NOTICES, headers={"Origin": "https://shop.example"})
        exposed = response.headers["Access-Control-Expose-Headers"].split(", ")
        assert {*rest.openapi()["components"]["headers"]} == {*exposed}

    @pytest.mark.parametrize("header", ["authorization", "content-type", "x-request-id", *HEADER_PARAMETERS])
    async def test_preflight_allows_the_required_headers(self, browser: httpx.AsyncClient, header: str) -> None:
        asking = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": header}
        response = await browser.options("/api/v1/auth/login", headers={"Origin": "https://shop.example", **asking})
        assert response.status_code == 200

    async def test_no_origin_may_by_default(self, client: httpx.AsyncClient) -> None:
        response = await client.get("/api/v1/auth/keys/public", headers={"Origin": "https://shop.example"})
        assert "Access-Control-Allow-Origin" not in response.headers


class TestOutside:
    async def test_the_socket_is_outside_the_api(self) -> None:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            assert (await client.get("/socket.io/")).status_code == 400


class TestTimesOutOfRange:
    @pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"])
    async def test_are_422(self, client: httpx.AsyncClient, admin: Person, moment: str) -> None:
        response = await client.get("/api/v1/users", params={"createTime[gte]": moment}, headers=admin.headers)
        assert response.status_code == 422
