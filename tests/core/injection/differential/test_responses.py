"""Responses of every kind are the same from both engines."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

import pytest
from fastapi import (
    APIRouter,
    BackgroundTasks,
    Depends,
    FastAPI,
    HTTPException,
    Request,
    Response,
)
from fastapi.exceptions import ResponseValidationError
from pydantic import BaseModel
from starlette.responses import (
    FileResponse,
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    StreamingResponse,
)

from tests.core.injection.differential.exchange import compare, generator, get

pytestmark = pytest.mark.unit


class Item(BaseModel):
    number: int
    name: str = "x"


class Secretive(Item):
    secret: str = "hidden"


class TestResponses:
    @staticmethod
    def make(trace: list[str]) -> FastAPI:
        app = FastAPI()

        @app.get("/filtered")
        async def filtered() -> Item:
            return Secretive(number=1)

        @app.get("/created", status_code=201)
        async def created() -> Item:
            return Item(number=1)

        @app.get("/text", response_class=PlainTextResponse)
        async def text() -> str:
            return "text"

        @app.get("/html", response_class=HTMLResponse)
        def html() -> Any:
            return "<p>"

        @app.get("/redirect", response_class=RedirectResponse, status_code=302)
        async def redirect() -> str:
            return "/elsewhere"

        @app.get("/redirect/default", response_class=RedirectResponse)
        async def redirect_by_default() -> str:
            return "/elsewhere"

        @app.get("/direct")
        async def direct(number: int) -> Item:
            return PlainTextResponse(f"{number}", 418, {"X-Pot": "tea"})  # type: ignore[return-value]  # FastAPI allows it

        @app.get("/cookie")
        async def cookie(response: Response) -> Item:
            response.set_cookie("a", "b")
            response.headers["X-Set"] = "1"
            response.status_code = 202
            return Item(number=1)

        @app.get("/cookie/error")
        async def cookie_and_error(response: Response) -> Item:
            response.set_cookie("a", "b")
            raise HTTPException(409, "no", {"X-Error": "1"})

        for status in (204, 205, 304):
            app.add_api_route(f"/empty/{status}", lambda: None, status_code=status)

        @app.get("/empty/later")
        async def empty_later(response: Response) -> Item:
            response.status_code = 204
            return Item(number=1)

        @app.get("/nan")
        async def nan() -> float:
            return float("nan")

        @app.get("/nan/plain", response_model=None)
        async def plain_nan() -> float:
            return float("nan")

        @app.get("/missing")
        async def missing() -> FileResponse:
            return FileResponse("/does/not/exist")

        @app.get("/stream")
        async def stream(
            value: Annotated[str, Depends(generator(trace, "request"))],
            other: Annotated[str, Depends(generator(trace, "function"), scope="function")],
            tasks: BackgroundTasks,
        ) -> StreamingResponse:
            async def chunks() -> AsyncIterator[str]:
                trace.append("streaming")
                yield value

            tasks.add_task(trace.append, "task")
            return StreamingResponse(chunks())

        @app.get("/wrong")
        async def wrong() -> Item:
            return {"number": "x"}  # type: ignore[return-value]  # what FastAPI refuses

        @app.exception_handler(ResponseValidationError)
        async def tell(request: Request, error: ResponseValidationError) -> JSONResponse:
            return JSONResponse({"text": str(error), "body": repr(error.body)}, 500)

        return app

    @pytest.mark.parametrize(
        "url",
        [
            "/filtered", "/created", "/text", "/html", "/redirect", "/redirect/default", "/direct?number=5", "/direct",
            "/cookie", "/cookie/error", "/empty/204", "/empty/205", "/empty/304", "/empty/later", "/nan", "/nan/plain",
            "/missing", "/stream", "/wrong",
        ],
    )  # fmt: skip
    async def test_of_every_kind(self, url: str) -> None:
        await compare(self.make, get(url))

    async def test_default_class_of_the_application_and_of_routers(self) -> None:
        class Own(JSONResponse):
            media_type = "application/own+json"

        def make(trace: list[str]) -> FastAPI:
            app, router = FastAPI(default_response_class=Own), APIRouter(default_response_class=HTMLResponse)
            router.add_api_route("/html", lambda: "<p>")
            app.add_api_route("/own", lambda: {"a": 1})
            app.include_router(router)
            return app

        await compare(make, get("/own"), get("/html"))
