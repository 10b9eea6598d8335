import asyncio
import json
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI, HTTPException
from starlette.responses import StreamingResponse
from starlette.types import Message

from src.core.exceptions import ConflictError, ServiceUnavailableError, TooManyRequestsError
from src.core.routing.registry import RouteRegistry
from src.middlewares.errors import install_error_handlers
from src.middlewares.request import RequestMiddleware

SECRET = "postgresql://app:hunter2@db/app"


@pytest.fixture
def app() -> FastAPI:
    app = FastAPI()
    install_error_handlers(app)
    app.add_middleware(RequestMiddleware, deployed=False)
    app.state.registry = RouteRegistry(app)
    return app


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


def failing(app: FastAPI, error: BaseException) -> None:
    @app.get("/")
    async def fail() -> None:
        raise error


UNEXPECTED = [
    RuntimeError(SECRET),
    KeyError(SECRET),
    AssertionError(SECRET),
    ExceptionGroup(SECRET, [ValueError(SECRET)]),
    RecursionError(SECRET),
    UnicodeEncodeError("utf-8", SECRET, 0, 1, SECRET),
]


class TestRow40Unexpected:
    @pytest.mark.parametrize("error", UNEXPECTED, ids=lambda error: type(error).__name__)
    async def test_it_is_500_in_the_envelope(self, app: FastAPI, client: httpx.AsyncClient, error: Exception) -> None:
        failing(app, error)
        answer = await client.get("/")
        assert (answer.status_code, answer.json()["error"]) == (500, "internal")

    @pytest.mark.parametrize("error", UNEXPECTED, ids=lambda error: type(error).__name__)
    async def test_its_text_is_not_shown(self, app: FastAPI, client: httpx.AsyncClient, error: Exception) -> None:
        failing(app, error)
        answer = await client.get("/")
        assert SECRET not in answer.text
        assert type(error).__name__ not in answer.text

    async def test_it_has_the_request_id(self, app: FastAPI, client: httpx.AsyncClient) -> None:
        failing(app, RuntimeError())
        answer = await client.get("/")
        assert answer.json()["requestId"] == answer.headers["X-Request-ID"]

    async def test_a_response_that_does_not_match_its_model_is_500(
        self, app: FastAPI, client: httpx.AsyncClient
    ) -> None:
        @app.get("/", response_model=int)
        async def wrong() -> str:
            return SECRET

        answer = await client.get("/")
        assert (answer.status_code, SECRET in answer.text) == (500, False)

    async def test_a_partial_response_is_cut_off(self, app: FastAPI) -> None:
        @app.get("/")
        async def half() -> StreamingResponse:
            async def body() -> AsyncIterator[bytes]:
                yield b"half"
                raise RuntimeError(SECRET)

            return StreamingResponse(body())

        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            with pytest.raises(RuntimeError):
                await client.get("/")


class TestKnown:
    async def test_a_domain_error_has_its_status(self, app: FastAPI, client: httpx.AsyncClient) -> None:
        failing(app, ConflictError("Taken.", error="user.taken"))
        answer = await client.get("/")
        assert (answer.status_code, answer.json()["error"], answer.json()["message"]) == (409, "user.taken", "Taken.")

    @pytest.mark.parametrize("error", [TooManyRequestsError(7), ServiceUnavailableError(retry_after_seconds=7)])
    async def test_it_has_retry_after(self, app: FastAPI, client: httpx.AsyncClient, error: Exception) -> None:
        failing(app, error)
        assert (await client.get("/")).headers["Retry-After"] == "7"

    @pytest.mark.parametrize("error", [ConnectionRefusedError(SECRET), TimeoutError(SECRET)])
    async def test_a_store_that_is_down_is_503(self, app: FastAPI, client: httpx.AsyncClient, error: Exception) -> None:
        failing(app, error)
        answer = await client.get("/")
        assert (answer.status_code, answer.headers["Retry-After"], SECRET in answer.text) == (503, "1", False)

    async def test_an_error_of_the_framework_keeps_its_headers(self, app: FastAPI, client: httpx.AsyncClient) -> None:
        failing(app, HTTPException(418, headers={"X-Pot": "tea"}))
        answer = await client.get("/")
        assert (answer.json()["error"], answer.headers["X-Pot"]) == ("http.i'm_a_teapot", "tea")


class TestValidation:
    @pytest.mark.parametrize("value", ["%ED%A0%80", "%00", "%FF", "9" * 5000, ""])
    async def test_an_invalid_value_is_422(self, app: FastAPI, client: httpx.AsyncClient, value: str) -> None:
        @app.get("/")
        async def read(page: int) -> int:
            return page

        answer = await client.get(f"/?page={value}")
        assert (answer.status_code, answer.json()["data"][0]["field"]) == (422, "page")


class TestRow50SlowBody:
    @pytest.mark.parametrize("parts", [0, 3])
    async def test_is_408(self, parts: int) -> None:
        app, left, sent = FastAPI(), parts, []
        install_error_handlers(app, timeout_seconds=0.1)
        app.add_middleware(RequestMiddleware, deployed=False)
        app.state.registry = RouteRegistry(app)

        @app.post("/")
        async def read(body: dict[str, str]) -> None:
            raise AssertionError

        async def receive() -> Message:
            nonlocal left
            if not left:
                await asyncio.Event().wait()
            left -= 1
            return {"type": "http.request", "body": b"{", "more_body": True}

        async def send(message: Message) -> None:
            sent.append(message)

        headers = [(b"content-type", b"application/json")]
        scope = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": headers}
        await app(scope, receive, send)
        assert sent[0]["status"] == 408
        assert json.loads(sent[1]["body"])["error"] == "http.request_timeout"
