"""`dependency_overrides` on both engines."""

from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any

import pytest
from fastapi import (
    Depends,
    FastAPI,
    Request,
    Response,
)

from tests.core.injection.differential.exchange import Pair, compare, generator, get

pytestmark = pytest.mark.unit


class TestOverrides:
    @staticmethod
    def make_with(overrides: Callable[[Any, list[str]], dict[Any, Any]]) -> Callable[[list[str]], FastAPI]:
        async def original() -> AsyncIterator[str]:
            yield "original"

        def make(trace: list[str]) -> FastAPI:
            app = FastAPI()

            @app.get("/")
            async def respond(
                value: Annotated[str, Depends(original, scope="function")],
                last: Annotated[str, Depends(generator(trace, "last"))],
            ) -> str:
                return value

            app.dependency_overrides = overrides(original, trace)
            return app

        return make

    async def test_keep_the_scope_of_the_original(self) -> None:
        make = self.make_with(lambda original, trace: {original: generator(trace, "replacement")})
        outcome = (await compare(make, get("/")))[0]
        assert outcome.trace.index("replacement closed") < outcome.trace.index("response started")

    async def test_may_take_parameters(self) -> None:
        def replacement(page: int, request: Request, response: Response) -> str:
            response.headers["X-Page"] = str(page)
            return request.url.path

        make = self.make_with(lambda original, trace: {original: replacement})
        await compare(make, get("/?page=2"), get("/?page=x"), get("/"))

    async def test_may_need_what_only_fastapi_does(self) -> None:
        async def count() -> str:
            return "counted"

        async def replacement(value: Annotated[str, Depends(count, max_concurrency=1)]) -> str:
            return value

        outcome = (await compare(self.make_with(lambda original, trace: {original: replacement}), get("/")))[0]
        assert outcome.body == b'"counted"'

    async def test_may_change_between_requests(self) -> None:
        originals: list[Any] = []

        def remember(original: Any) -> dict[Any, Any]:
            originals.append(original)
            return {}

        pair = Pair(self.make_with(lambda original, trace: remember(original)))
        assert (await pair.compare(get("/"))).body == b'"original"'
        for app in (pair.stock, pair.ours):
            app.dependency_overrides = {originals[0]: lambda: "other"}
        assert (await pair.compare(get("/"))).body == b'"other"'
        for app in (pair.stock, pair.ours):
            app.dependency_overrides.clear()
        assert (await pair.compare(get("/"))).body == b'"original"'
