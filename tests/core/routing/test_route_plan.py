"""The quick way through a route answers what FastAPI's own does: every request is made on both."""

from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Annotated, Any

import httpx
import pytest
from fastapi import Cookie, Depends, FastAPI, Header, HTTPException, Path, Query, Request
from fastapi.exceptions import ResponseValidationError
from pydantic import BaseModel
from starlette.responses import PlainTextResponse
from starlette.responses import Response as AnyResponse
from starlette.routing import Match

from src.core.routing.index import RouteIndex


class Item(BaseModel):
    number: int
    name: str = "x"


class Secretive(Item):
    secret: str = "hidden"


async def page(page: Annotated[int, Query(ge=1)] = 1) -> int:
    return page


async def agent(user_agent: Annotated[str, Header(max_length=10)] = "") -> str:
    return user_agent


async def refuse(request: Request) -> None:
    if "refuse" in request.query_params:
        raise HTTPException(403, "no")


async def both(page: Annotated[int, Depends(page)], agent: Annotated[str, Depends(agent)]) -> str:
    return f"{page} {agent}"


def calls(request: Request) -> list[str]:
    """What ran in this request, in order."""
    return request.scope.setdefault("calls", [])  # type: ignore[no-any-return]


async def first(request: Request) -> str:
    calls(request).append("first")
    return "first"


async def second(request: Request, value: Annotated[str, Depends(first)]) -> str:
    calls(request).append("second")
    return f"{value} second"


async def block(request: Request) -> AsyncIterator[str]:
    calls(request).append("opened")
    try:
        yield "block"
    except Exception as error:
        calls(request).append(type(error).__name__)
        raise
    finally:
        calls(request).append("closed")


Block = Annotated[str, Depends(block, scope="function")]


async def inside(request: Request, value: Block) -> str:
    calls(request).append("inside")
    return value


def make_block(app: FastAPI) -> None:
    @app.middleware("http")
    async def tell(request: Request, call_next: Any) -> Any:
        try:
            response = await call_next(request)
        except ResponseValidationError:
            response = PlainTextResponse("", 500)
        response.headers["X-Calls"] = " ".join(calls(request))
        return response

    @app.get("/block")
    async def in_block(request: Request, block: Block, value: Annotated[str, Depends(inside)], page: int = 1) -> Item:
        if "fail" in request.query_params:
            raise HTTPException(409, block)
        if "wrong" in request.query_params:
            return {"number": "x"}  # type: ignore[return-value]  # what FastAPI refuses
        calls(request).append("answered")
        return Item(number=page, name=value)


def make(app: FastAPI) -> FastAPI:
    make_block(app)

    @app.get("/constant")
    async def constant() -> Item:
        return Item(number=1)

    @app.get("/created", status_code=201)
    async def created() -> Item:
        return Item(number=1)

    @app.get("/filtered")
    async def filtered() -> Item:
        return Secretive(number=1)

    @app.get("/items/{number}", dependencies=[Depends(refuse)])
    async def item(number: Annotated[int, Path(le=5)], page: Annotated[int, Depends(page)]) -> Item:
        return Item(number=number, name=str(page))

    @app.get("/all", dependencies=[Depends(refuse)])
    async def every(
        text: Annotated[str, Depends(both)], wanted: int, cookie: Annotated[int, Cookie()] = 0
    ) -> dict[str, Any]:
        return {"text": text, "wanted": wanted, "cookie": cookie}

    @app.get("/calls", dependencies=[Depends(second)])
    async def order(
        request: Request, a: Annotated[str, Depends(second)], b: Annotated[str, Depends(first)]
    ) -> list[str]:
        return [*calls(request), a, b]

    @app.get("/response")
    async def response(number: int) -> Item:
        return PlainTextResponse(f"{number}", 418, {"X-Pot": "tea"})  # type: ignore[return-value]  # FastAPI allows it

    return app


REQUESTS: list[tuple[str, dict[str, str]]] = [
    ("/constant", {}),
    ("/created", {}),
    ("/filtered", {}),
    ("/items/3", {}),
    ("/items/3?page=2", {}),
    ("/items/3?page=0", {}),
    ("/items/9?page=x", {}),
    ("/items/x?page=0", {}),
    ("/items/9?refuse&page=0", {}),
    ("/all?wanted=1", {"User-Agent": "me", "Cookie": "cookie=7"}),
    ("/all", {"User-Agent": "far too long a name"}),
    ("/all?page=0&page=7", {"User-Agent": "far too long a name", "Cookie": "cookie=x"}),
    ("/all?wanted=1&refuse", {"User-Agent": "far too long a name"}),
    ("/calls", {}),
    ("/block", {}),
    ("/block?page=x", {}),
    ("/block?fail", {}),
    ("/block?wrong", {}),
    ("/response?number=5", {}),
    ("/response", {}),
]


def planned() -> FastAPI:
    app = make(FastAPI())
    app.router.routes.insert(0, RouteIndex(app.routes))
    return app


async def fetch(app: FastAPI, path: str, headers: dict[str, str]) -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        return await client.get(path, headers=headers)


def quick(app: FastAPI, path: str) -> bool:
    index = app.router.routes[0]
    scope = {"type": "http", "path": path, "method": "GET"}
    return type(index.matches(scope)[1]["route_app"]).__name__ == "_QuickRoute"


class TestSameAnswer:
    @pytest.mark.parametrize(("path", "headers"), REQUESTS)
    async def test_as_from_fastapi(self, path: str, headers: dict[str, str]) -> None:
        answers = [await fetch(app, path, headers) for app in (planned(), make(FastAPI()))]
        ours, theirs = [(answer.status_code, answer.text, dict(answer.headers)) for answer in answers]
        assert ours == theirs

    @pytest.mark.parametrize("path", sorted({path.partition("?")[0] for path, _ in REQUESTS}))
    def test_by_the_quick_way(self, path: str) -> None:
        assert quick(planned(), path)


class TestABlock:
    async def test_ends_before_the_answer_leaves(self) -> None:
        answer = await fetch(planned(), "/block", {})
        assert answer.headers["X-Calls"] == "opened inside answered closed"

    async def test_hears_of_an_error(self) -> None:
        answer = await fetch(planned(), "/block?fail", {})
        assert answer.headers["X-Calls"] == "opened inside HTTPException closed"

    async def test_must_not_keep_an_error_to_itself(self) -> None:
        async def silent() -> AsyncIterator[int]:
            with suppress(HTTPException):
                yield 1

        app = FastAPI()

        @app.get("/")
        async def fail(value: Annotated[int, Depends(silent, scope="function")]) -> int:
            raise HTTPException(409)

        app.router.routes.insert(0, RouteIndex(app.routes))
        with pytest.raises(RuntimeError, match="must not keep an error"):
            await fetch(app, "/", {})


class TestOverrides:
    async def test_hold(self) -> None:
        app = planned()

        async def seven() -> int:
            return 7

        app.dependency_overrides[page] = seven
        assert (await fetch(app, "/items/3", {})).json()["name"] == "7"

    async def test_hold_when_all_of_them_are_replaced(self) -> None:
        app = planned()

        async def seven() -> int:
            return 7

        app.dependency_overrides = {page: seven}
        assert (await fetch(app, "/items/3", {})).json()["name"] == "7"


class Counted(dict[str, Any]):
    """Counts how often it is asked."""

    asked = 0

    def get(self, *arguments: Any) -> Any:
        self.asked += 1
        return super().get(*arguments)


class TestLongPaths:
    @pytest.mark.parametrize("path", ["/x" * 100_000, "/" * 100_000, "/items" + "/" * 100_000, "x" * 100_000, "*", ""])
    def test_are_not_cut_at_each_slash(self, path: str) -> None:
        index = planned().router.routes[0]
        assert isinstance(index, RouteIndex)
        index._by_beginning = known = Counted(index._by_beginning)
        assert index.matches({"type": "http", "path": path, "method": "GET"})[0] is Match.NONE
        assert known.asked <= len("/constant") + 2


async def closing() -> AsyncIterator[int]:
    yield 1


def in_a_thread() -> int:
    return 1


async def headers(response: AnyResponse) -> int:
    response.headers["X-Set"] = "1"
    return 1


class TestLeftToFastAPI:
    @pytest.mark.parametrize("dependency", [closing, in_a_thread, headers], ids=lambda call: call.__name__)
    def test_what_a_plan_cannot_say(self, dependency: Any) -> None:
        app = FastAPI()

        @app.get("/")
        async def answer(value: Annotated[int, Depends(dependency)]) -> int:
            return value

        app.router.routes.insert(0, RouteIndex(app.routes))
        assert not quick(app, "/")

    def test_a_parameter_that_two_dependencies_share(self) -> None:
        app = FastAPI()

        @app.get("/")
        async def answer(a: Annotated[int, Depends(page)], b: Annotated[str, Depends(both)]) -> str:
            return f"{a} {b}"

        app.router.routes.insert(0, RouteIndex(app.routes))
        assert not quick(app, "/")

    def test_a_body(self) -> None:
        app = FastAPI()

        @app.get("/")
        async def answer(item: Item) -> Item:
            return item

        app.router.routes.insert(0, RouteIndex(app.routes))
        assert not quick(app, "/")
