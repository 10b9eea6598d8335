"""Bodies that cost more than they are worth: too many keys, values and levels, and errors about each."""

import json
import random
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts

from src.core.injection.http import engine_of
from src.core.routing.index import RouteIndex
from src.middlewares.errors import install_error_handlers
from src.utils.bounds import MAX_DEPTH, MAX_KEYS, MAX_VALUES, OutOfBoundsError, check_bounds, check_strings
from tests.support.people import Person

LARGEST = 64 * 1024
ROUTES = {
    "POST": ["/api/v1/auth/login", "/api/v1/notices", "/api/v1/schedules", "/api/v1/roles", "/api/v1/files"],
    "PUT": ["/api/v1/auth/password"],
}


def nested(levels: int, kind: Callable[[Any], Any]) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = kind(value)
    return value


OUT_OF_BOUNDS = {
    "keys": {f"{key:08}": 1 for key in range(65_000)},
    "keys of an inner object": {"username": {f"{key:08}": 1 for key in range(MAX_KEYS + 1)}},
    "a list": {"username": [1] * (MAX_VALUES + 1)},
    "a list of objects": [{"a": 1, "b": 2}] * (MAX_VALUES // 2),
    "many lists": {f"{key}": [1] * 100 for key in range(101)},
    "nested lists": nested(MAX_DEPTH + 1, lambda inner: [inner]),
    "nested objects": nested(MAX_DEPTH + 1, lambda inner: {"a": inner}),
}


class TestRow47Body:
    @pytest.mark.parametrize("name", OUT_OF_BOUNDS)
    @pytest.mark.parametrize(("method", "path"), [(method, path) for method in ROUTES for path in ROUTES[method]])
    async def test_out_of_bounds_is_refused_before_it_is_validated(
        self, client: httpx.AsyncClient, admin: Person, method: str, path: str, name: str
    ) -> None:
        response = await client.request(method, path, json=OUT_OF_BOUNDS[name], headers=admin.headers)
        assert response.status_code == 422
        assert [(error["field"], error["type"]) for error in response.json()["data"]] == [("body", "out_of_bounds")]

    async def test_at_most_50_errors_are_told(self, client: httpx.AsyncClient) -> None:
        response = await client.post("/api/v1/auth/login", json={f"{key}": 1 for key in range(MAX_KEYS)})
        assert len(response.json()["data"]) == 50

    @pytest.mark.parametrize("character", ["x", "\x01", '"', "\\", "\x7f", "é", "𐍈", "\ud800"], ids=ascii)
    async def test_an_answer_has_at_most_64_kib(self, client: httpx.AsyncClient, character: str) -> None:
        body = {f"{key:02}{character * 1000}": 1 for key in range(60)}
        response = await client.post("/api/v1/auth/login", content=json.dumps(body))
        assert response.status_code == 422
        assert len(response.content) <= LARGEST

    async def test_a_value_in_a_message_is_shortened(self, client: httpx.AsyncClient, admin: Person) -> None:
        response = await client.get(f"/api/v1/users?sort={'x' * 190}", headers=admin.headers)
        assert response.status_code == 422
        assert all(len(error["message"]) <= 200 for error in response.json()["data"])

    @pytest.mark.slow
    async def test_generated_bodies(self, client: httpx.AsyncClient, admin: Person) -> None:
        generator = random.Random(2026)  # noqa: S311 - reproducible, not secret

        def value(depth: int) -> Any:
            size = generator.choice([0, 1, 3, 30 if depth < 3 else 1])
            match generator.randrange(5):
                case 0:
                    return {generator.choice("abc") * generator.randrange(100): value(depth + 1) for _ in range(size)}
                case 1:
                    return [value(depth + 1) for _ in range(size)]
                case 2:
                    return generator.choice(["", "\0", "x" * 10_000, "\ud800", "𐍈"])
                case 3:
                    return nested(generator.randrange(200), lambda inner: [inner])
                case _:
                    return generator.choice([0, -1, 2**70, 1e308, None, True])

        for _ in range(100):
            path = generator.choice(ROUTES["POST"])
            response = await client.post(path, content=json.dumps(value(0)), headers=admin.headers)
            assert response.status_code < 500
            assert len(response.content) <= LARGEST


class OwnRoute(APIRoute):
    def get_route_handler(self) -> Any:
        return super().get_route_handler()


@pytest.fixture(params=["streamed", "limited", "own"])
async def foreign(request: pytest.FixtureRequest) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a route that FastAPI's own engine runs."""
    app = FastAPI()
    install_error_handlers(app)

    async def streamed(body: dict[str, Any]) -> AsyncIterator[int]:
        yield len(body)

    async def limited(body: dict[str, Any]) -> list[int]:
        return [len(body)]

    options: dict[str, dict[str, Any]] = {
        "limited": {"max_body_size": 1 << 20},
        "own": {"route_class_override": OwnRoute},
    }
    handler = streamed if request.param == "streamed" else limited
    app.router.add_api_route("/", handler, methods=["POST"], **options.get(request.param, {}))
    assert engine_of(next(iter_route_contexts(app.routes[-1:]))).startswith("fastapi: ")
    app.router.routes.insert(0, RouteIndex(app.routes))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        yield client


class TestRow47FastapisEngine:
    @pytest.mark.parametrize("name", OUT_OF_BOUNDS)
    async def test_out_of_bounds_is_refused_as_well(self, foreign: httpx.AsyncClient, name: str) -> None:
        response = await foreign.post("/", json=OUT_OF_BOUNDS[name])
        assert response.status_code == 422
        assert [(error["field"], error["type"]) for error in response.json()["data"]] == [("body", "out_of_bounds")]

    async def test_what_is_in_bounds_arrives(self, foreign: httpx.AsyncClient) -> None:
        assert "2" in (await foreign.post("/", json={"a": [1] * MAX_KEYS, "b": 1})).text

    async def test_what_is_no_json_is_told_by_fastapi(self, foreign: httpx.AsyncClient) -> None:
        response = await foreign.post("/", content=b"{", headers={"Content-Type": "application/json"})
        assert [error["type"] for error in response.json()["data"]] == ["json_invalid"]


class TestRow47Query:
    async def test_too_many_parameters_are_refused(self, client: httpx.AsyncClient, admin: Person) -> None:
        response = await client.get("/api/v1/notices?" + "&".join(["a=1"] * 3000), headers=admin.headers)
        assert response.status_code == 414
        assert response.json()["error"]

    async def test_at_most_50_errors_are_told(self, client: httpx.AsyncClient, admin: Person) -> None:
        query = "&".join(f"a{number}=1" for number in range(1500))
        response = await client.get(f"/api/v1/users?{query}", headers=admin.headers)
        assert (response.status_code, len(response.json()["data"])) == (422, 50)

    async def test_too_many_fields_of_a_form_are_refused(self, client: httpx.AsyncClient) -> None:
        response = await client.post("/api/v1/auth/login/swagger", content="&".join(["a=1"] * 90_000), headers=FORM)
        assert response.status_code == 400


FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class TestBounds:
    @pytest.mark.parametrize(
        "value",
        [
            {f"{key}": 1 for key in range(MAX_KEYS)},
            [1] * MAX_VALUES,
            nested(MAX_DEPTH, lambda inner: [inner]),
            nested(MAX_DEPTH, lambda inner: {"a": inner}),
            "x",
        ],
        ids=["keys", "values", "lists", "objects", "text"],
    )
    def test_the_largest_passes(self, value: Any) -> None:
        check_bounds((value,))

    @pytest.mark.parametrize("text", ["a", '"', "\\", '\\"', '"' * 50, "é"], ids=ascii)
    def test_the_largest_passes_unparsed(self, text: str) -> None:
        check_strings(
            json.dumps({f"{key}": {f"{inner}{text}": text for inner in range(99)} for key in range(100)}).encode()
        )

    def test_more_keys_are_not_parsed(self) -> None:
        with pytest.raises(OutOfBoundsError):
            check_strings(json.dumps({f"{key}": 1 for key in range(2 * MAX_VALUES + 2)}).encode())

    def test_counts_all_arguments(self) -> None:
        with pytest.raises(OutOfBoundsError):
            check_bounds([[1] * (MAX_VALUES // 2)] * 3)
