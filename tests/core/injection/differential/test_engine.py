"""Which engine runs a route, and why."""

from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any

import pytest
from fastapi import BackgroundTasks, Depends, FastAPI, Request, Response, UploadFile, WebSocket
from fastapi.routing import APIRoute
from fastapi.sse import EventSourceResponse
from starlette.responses import StreamingResponse

from src.core.injection.http import engine_of
from tests.core.injection.differential.exchange import contexts

pytestmark = pytest.mark.unit


async def opened() -> AsyncIterator[int]:
    yield 1


def everything(
    body: dict[str, int],
    request: Request,
    response: Response,
    tasks: BackgroundTasks,
    value: Annotated[int, Depends(opened)],
) -> StreamingResponse:
    return StreamingResponse([])


def upload(file: UploadFile) -> None: ...


async def lines() -> AsyncIterator[int]:
    yield 1


def bounded(value: Annotated[int, Depends(opened, max_concurrency=1)]) -> None: ...


def socket(websocket: WebSocket) -> None: ...


class OwnHandler(APIRoute):
    def get_route_handler(self) -> Any:
        return super().get_route_handler()


def engine(handler: Callable[..., Any], **options: Any) -> str:
    app = FastAPI()
    app.router.add_api_route("/", handler, methods=["POST"], **options)
    return engine_of(contexts(app)[0])


class TestEngine:
    @pytest.mark.parametrize("handler", [everything, upload])
    def test_is_ours_for_every_route_that_returns(self, handler: Any) -> None:
        assert engine(handler) == "compiled"

    @pytest.mark.parametrize(
        ("handler", "options", "feature"),
        [
            (lines, {}, "a streamed response"),
            (lines, {"response_class": EventSourceResponse}, "a streamed response"),
            (lines, {"response_class": StreamingResponse}, "a streamed response"),
            (bounded, {}, "max_concurrency"),
            (socket, {}, "a WebSocket parameter"),
            (upload, {"max_body_size": 1}, "max_body_size"),
            (upload, {"route_class_override": OwnHandler}, "OwnHandler.get_route_handler"),
        ],
    )
    def test_is_fastapis_for_a_feature(self, handler: Any, options: dict[str, Any], feature: str) -> None:
        assert engine(handler, **options) == f"fastapi: {feature}"

    def test_is_starlettes_for_other_routes(self) -> None:
        app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
        app.add_api_websocket_route("/socket", socket)
        assert [engine_of(route) for route in contexts(app, every=True)] == ["starlette"]
