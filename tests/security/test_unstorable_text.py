"""NUL and lone surrogates, which no store accepts, from every source and in every type."""

import json
from collections.abc import AsyncIterator
from typing import Annotated, Any
from uuid import uuid4

import httpx
import pytest
from fastapi import Body, Cookie, FastAPI, File, Form, Header, Path, Query, UploadFile
from pydantic import BaseModel
from sqlmodel import col, select

from src.api.v1.router import PREFIX
from src.core.routing.index import RouteIndex
from src.core.unit_of_work import UnitOfWork
from src.main import rest
from src.middlewares.errors import install_error_handlers
from src.models.outbox import OutboxMessage
from tests.support.people import Person


class Model(BaseModel):
    text: str = ""
    texts: list[str] = []
    any: Any = None


def plain_app() -> FastAPI:  # noqa: C901 - its routes
    """Routes whose authors forgot `SafeStr`."""
    app = FastAPI()

    @app.get("/path/{text}")
    async def path(text: Annotated[str, Path()]) -> str:
        return text

    @app.get("/query")
    async def query(text: str = "", texts: Annotated[list[str], Query()] = []) -> str:  # noqa: B006 - FastAPI copies it
        return text

    @app.get("/model")
    async def model(query: Annotated[Model, Query()]) -> str:
        return query.text

    @app.get("/header")
    async def header(text: Annotated[str, Header()] = "", texts: Annotated[list[str] | None, Header()] = None) -> str:
        return text

    @app.get("/cookie")
    async def cookie(text: Annotated[str, Cookie()] = "") -> str:
        return text

    @app.post("/body")
    async def body(body: Model) -> str:
        return body.text

    @app.post("/any")
    async def anything(body: Annotated[Any, Body()]) -> str:
        return str(body)

    @app.post("/form")
    async def form(text: Annotated[str, Form()]) -> str:
        return text

    @app.post("/file")
    async def file(file: Annotated[UploadFile, File()]) -> str:
        return str(file.filename)

    app.router.routes.insert(0, RouteIndex(app.routes))
    install_error_handlers(app)
    return app


@pytest.fixture
async def plain() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(plain_app()), base_url="http://test") as client:
        yield client


FORM = {"Content-Type": "application/x-www-form-urlencoded"}
MULTIPART = {"Content-Type": "multipart/form-data; boundary=b"}
SOURCES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "path": ("GET", "/path/a%00b", {}),
    "query": ("GET", "/query?text=%00", {}),
    "query list": ("GET", "/query?texts=a&texts=%00&texts=b", {}),
    "query model": ("GET", "/model?text=%00", {}),
    "query model, list": ("GET", "/model?texts=%00&texts=a", {}),
    "header": ("GET", "/header", {"headers": {b"text": b"a\0"}}),
    "header list": ("GET", "/header", {"headers": {b"texts": b"a\0"}}),
    "cookie": ("GET", "/cookie", {"headers": {b"cookie": b"text=a\0"}}),
    "body": ("POST", "/body", {"json": {"text": "\0"}}),
    "body, surrogate": (
        "POST",
        "/body",
        {"content": '{"text": "\\ud800"}', "headers": {"Content-Type": "application/json"}},
    ),
    "body, list": ("POST", "/body", {"json": {"texts": ["a", "\0"]}}),
    "body, any": ("POST", "/body", {"json": {"any": [{"a": {"b": "\0"}}]}}),
    "body, key": ("POST", "/any", {"json": {"\0": 1}}),
    "body, text": ("POST", "/any", {"json": "\0"}),
    "form": ("POST", "/form", {"content": "text=%00", "headers": FORM}),
    "filename": (
        "POST",
        "/file",
        {
            "content": b'--b\r\nContent-Disposition: form-data; name="file"; filename="a\0b"\r\n\r\nx\r\n--b--\r\n',
            "headers": MULTIPART,
        },
    ),
}


class TestRow54Types:
    @pytest.mark.parametrize("name", SOURCES)
    async def test_are_refused_though_the_type_is_plain(self, plain: httpx.AsyncClient, name: str) -> None:
        method, url, options = SOURCES[name]
        response = await plain.request(method, url, **options)
        assert response.status_code == 422, response.text

    @pytest.mark.parametrize("text", ["", "plain", "é🔑", "\x01"])
    async def test_other_text_arrives(self, plain: httpx.AsyncClient, text: str) -> None:
        assert (await plain.post("/body", content=json.dumps({"text": text}), headers=JSON)).json() == text
        assert (await plain.get("/query", params={"text": text})).json() == text


JSON = {"Content-Type": "application/json"}


def changing_routes() -> list[tuple[str, str]]:
    """Method and path of each route with path parameters that changes something."""
    routes = [route for route in rest.state.registry.routes if "{" in route.path and route.methods != ["GET"]]
    return [(route.methods[0], route.path) for route in routes if route.path.startswith(PREFIX)]


class TestRow54Paths:
    @pytest.mark.parametrize(("method", "path"), changing_routes())
    @pytest.mark.parametrize("text", ["%00", "a%00b"])
    async def test_are_refused_and_recorded(
        self, client: httpx.AsyncClient, uow: UnitOfWork, admin: Person, method: str, path: str, text: str
    ) -> None:
        request_id = str(uuid4())
        url = "/".join(text if part.startswith("{") else part for part in path.split("/"))
        response = await client.request(method, url, json={}, headers={**admin.headers, "X-Request-ID": request_id})
        assert response.status_code in {404, 422}
        rows = (await uow.session.exec(select(OutboxMessage).order_by(col(OutboxMessage.id).desc()).limit(5))).all()
        assert [row.payload["status"] for row in rows if row.payload["request_id"] == request_id] == [
            response.status_code
        ]
