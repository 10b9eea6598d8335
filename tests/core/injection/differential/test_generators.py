"""Generators and errors: closed in the same order on both engines, and shown the same exceptions."""

from collections.abc import AsyncIterator
from contextvars import ContextVar
from typing import Annotated, Any

import anyio
import pytest
from anyio.lowlevel import checkpoint
from fastapi import (
    BackgroundTasks,
    Depends,
    FastAPI,
    HTTPException,
    Request,
)
from starlette.responses import (
    JSONResponse,
)

from tests.core.injection.differential.exchange import compare, generator, get, indexed, post, send

pytestmark = pytest.mark.unit


class KnownError(Exception):
    """An exception with a handler."""


class TestErrors:
    @staticmethod
    def make(trace: list[str]) -> FastAPI:
        app = FastAPI()

        @app.exception_handler(KnownError)
        async def known(request: Request, error: KnownError) -> JSONResponse:
            trace.append("handled")
            return JSONResponse({"body": (await request.body()).decode()}, 410)

        @app.exception_handler(404)
        def not_found(request: Request, error: Exception) -> JSONResponse:
            return JSONResponse({"own": request.url.path}, 404)

        def add(path: str, error: Exception | None, **options: Any) -> None:
            async def respond(
                function: Annotated[str, Depends(generator(trace, "function", **options), scope="function")],
                request: Annotated[str, Depends(generator(trace, "request"))],
            ) -> str:
                trace.append("handler")
                if error is not None:
                    raise error
                return "fine"

            app.add_api_route(path, respond, methods=["POST"])

        add("/none", None)
        add("/unknown", OSError("unknown"))
        add("/known", KnownError())
        add("/http", HTTPException(404, "no"))
        add("/swallowed", KnownError(), swallow=True)
        add("/closing", None, fail=KnownError())
        add("/closing/http", KnownError(), fail=HTTPException(404))

        @app.post("/late")
        async def late(value: Annotated[str, Depends(generator(trace, "request", fail=KnownError()))]) -> str:
            return "sent"

        @app.post("/late/swallowed")
        async def late_swallowed(value: Annotated[str, Depends(generator(trace, "request", swallow=True))]) -> str:
            raise KnownError

        @app.post("/task")
        async def task(tasks: BackgroundTasks, value: Annotated[str, Depends(generator(trace, "request"))]) -> str:
            async def fail() -> None:
                raise KnownError

            tasks.add_task(fail)
            return "sent"

        return app

    @pytest.mark.parametrize(
        "path",
        [
            "/none", "/unknown", "/known", "/http", "/swallowed", "/closing", "/closing/http", "/late",
            "/late/swallowed", "/task",
        ],
    )  # fmt: skip
    async def test_are_thrown_into_generators_and_handled(self, path: str) -> None:
        await compare(self.make, post(path, b"sent"))


class TestGenerators:
    async def test_of_scope_function_close_before_the_response(self) -> None:
        def make(trace: list[str]) -> FastAPI:
            app = FastAPI()

            @app.get("/")
            async def respond(
                a: Annotated[str, Depends(generator(trace, "request"))],
                b: Annotated[str, Depends(generator(trace, "function"), scope="function")],
            ) -> str:
                return a + b

            return app

        outcome = (await compare(make, get("/")))[0]
        opened = ["request opened", "function opened"]
        assert outcome.trace == [*opened, "function closed", "response started", "request closed"]

    async def test_share_context_variables_with_the_handler(self) -> None:
        variable: ContextVar[str] = ContextVar("variable", default="unset")

        def make(trace: list[str]) -> FastAPI:
            app = FastAPI()

            async def set_variable() -> AsyncIterator[None]:
                token = variable.set("set")
                yield
                trace.append(variable.get())
                variable.reset(token)

            @app.get("/", dependencies=[Depends(set_variable)])
            async def respond() -> str:
                return variable.get()

            return app

        outcome = (await compare(make, get("/")))[0]
        assert (outcome.body, outcome.trace[-1]) == (b'"set"', "set")

    @pytest.mark.parametrize("scope", ["function", "request"])
    async def test_may_await_while_they_are_cancelled(self, scope: Any) -> None:
        def make(trace: list[str]) -> FastAPI:
            app = FastAPI()

            async def slow() -> AsyncIterator[None]:
                with anyio.CancelScope():
                    try:
                        yield
                    finally:
                        await checkpoint()
                        trace.append("closed")

            @app.get("/")
            async def respond(
                one: Annotated[None, Depends(slow, scope=scope)],
                two: Annotated[None, Depends(slow, scope=scope, use_cache=False)],
            ) -> None:
                trace.append("handler")
                await anyio.sleep_forever()

            return app

        trace: list[str] = []
        for app in (make(trace), indexed(make(trace))):
            trace.clear()
            with anyio.move_on_after(0.05) as cancelled:
                await send(app, get("/"), trace)
            assert cancelled.cancelled_caught
            assert trace == ["handler", "closed", "closed"]
