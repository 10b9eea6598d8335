"""Parameters, bodies and forms are read the same on both engines, and refused with the same errors."""

from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from fastapi import (
    APIRouter,
    BackgroundTasks,
    Body,
    Cookie,
    Depends,
    FastAPI,
    Form,
    Header,
    HTTPException,
    Path,
    Query,
    Request,
    UploadFile,
)
from fastapi.exceptions import RequestValidationError
from fastapi.security import HTTPBasic, HTTPBasicCredentials, OAuth2PasswordRequestForm
from pydantic import AliasChoices, BaseModel, Json
from starlette.responses import (
    JSONResponse,
)

from tests.core.injection.differential.exchange import compare, get, post

pytestmark = pytest.mark.unit


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Item(BaseModel):
    number: int
    name: str = "x"


class Secretive(Item):
    secret: str = "hidden"


class TestParameters:
    @staticmethod
    def make(trace: list[str]) -> FastAPI:
        app = FastAPI()

        async def page(page: Annotated[int, Query(ge=1)] = 1) -> int:
            return page

        async def agent(user_agent: Annotated[str, Header(max_length=10)] = "") -> str:
            return user_agent

        async def refuse(request: Request) -> None:
            if "refuse" in request.query_params:
                raise HTTPException(403, "no")

        async def both(page: Annotated[int, Depends(page)], agent: Annotated[str, Depends(agent)]) -> str:
            return f"{page} {agent}"

        @app.get("/items/{number}", dependencies=[Depends(refuse)])
        async def item(number: Annotated[int, Path(le=5)], page: Annotated[int, Depends(page)]) -> Item:
            return Item(number=number, name=str(page))

        @app.get("/all", dependencies=[Depends(refuse)])
        async def every(
            text: Annotated[str, Depends(both)], wanted: int, cookie: Annotated[int, Cookie()] = 0
        ) -> dict[str, Any]:
            return {"text": text, "wanted": wanted, "cookie": cookie}

        @app.get("/shared")
        async def shared(a: Annotated[int, Depends(page)], b: Annotated[str, Depends(both)]) -> str:
            return f"{a} {b}"

        @app.get("/kinds/{path}")
        async def kinds(
            path: Literal["a", "b"],
            colour: Colour = Colour.RED,
            identity: UUID | None = None,
            day: date = date(2020, 1, 1),
            flag: bool = False,
            either: int | str = 1,
            amount: Annotated[Decimal, Query(gt=0)] = Decimal(1),
            named: Annotated[int, Query(validation_alias="by-name")] = 0,
            choice: Annotated[int, Query(validation_alias=AliasChoices("one", "two"))] = 0,
            checked: Annotated[int, Query(gt=5, validate_default=True)] = 6,
            unchecked: int = "text",  # type: ignore[assignment]  # FastAPI does not validate it
        ) -> list[Any]:
            return [path, colour, identity, day, flag, either, amount, named, choice, checked, unchecked]

        @app.get("/odd")
        async def odd(
            document: Annotated[Json[list[int]], Query()],
            made: Annotated[list[str], Query(default_factory=lambda: ["made"])],
            plain: Annotated[str, Header(alias="X_Plain", convert_underscores=False)] = "none",
        ) -> list[Any]:
            return [document, made, plain]

        return app

    @pytest.mark.parametrize(
        ("url", "headers"),
        [
            ("/items/3", {}),
            ("/items/3?page=2", {}),
            ("/items/9?page=x", {}),
            ("/items/x?page=0", {}),
            ("/items/9?refuse&page=0", {}),
            ("/all?wanted=1", {"User-Agent": "me", "Cookie": "cookie=7"}),
            ("/all", {"User-Agent": "far too long a name"}),
            ("/all?page=0&page=7", {"User-Agent": "far too long a name", "Cookie": "cookie=x"}),
            ("/all?wanted=1&refuse", {"User-Agent": "far too long a name"}),
            ("/shared?page=0", {"User-Agent": "far too long a name"}),
            ("/kinds/a", {}),
            ("/kinds/c?colour=green&identity=1&day=x&flag=maybe&amount=0&by-name=x&two=x&checked=1", {}),
            ("/kinds/b?colour=blue&identity=12345678-1234-5678-1234-567812345678&day=2024-02-29&flag=yes", {}),
            ("/kinds/b?either=x&amount=1.50&named=1&by-name=2&two=3&one=4&checked=7&unchecked=8&flag=", {}),
            ("/odd?document=[1]", {"X_Plain": "t"}),
            ("/odd?document=x&made=a&made=b", {}),
        ],
    )
    async def test_are_read_and_refused(self, url: str, headers: dict[str, str]) -> None:
        await compare(self.make, get(url, **headers))


class TestBodies:
    @staticmethod
    def make(trace: list[str]) -> FastAPI:
        app = FastAPI()
        loose = APIRouter(strict_content_type=False)

        @app.exception_handler(RequestValidationError)
        async def tell(request: Request, error: RequestValidationError) -> JSONResponse:
            read = (await request.body()).decode(errors="replace")
            return JSONResponse({"read": read, "text": str(error), "body": repr(error.body)}, 422)

        @app.post("/one")
        async def one(item: Item) -> Item:
            return item

        @app.post("/two")
        async def two(item: Item, other: Item, note: Annotated[str, Body(max_length=3)] = "") -> list[Any]:
            return [item, other, note]

        @app.post("/embedded")
        async def embedded(item: Annotated[Item, Body(embed=True)]) -> Item:
            return item

        @app.post("/raw")
        async def raw(body: Annotated[Any, Body()] = None) -> Any:
            return repr(body)

        @loose.post("/loose")
        async def loosely(item: Item) -> Item:
            return item

        @app.post("/form")
        async def form(form: Annotated[OAuth2PasswordRequestForm, Depends()]) -> list[Any]:
            return [form.username, form.scopes]

        @app.post("/file")
        async def file(file: UploadFile, note: Annotated[str, Form()] = "", *, tasks: BackgroundTasks) -> list[Any]:
            tasks.add_task(lambda: trace.append(f"closed: {file.file.closed}"))
            return [file.filename, (await file.read()).decode(), note]

        app.include_router(loose)
        return app

    @pytest.mark.parametrize("content_type", ["application/json", "application/x+json; charset=utf-8", "text/json", ""])
    @pytest.mark.parametrize("path", ["/one", "/embedded", "/two", "/raw", "/loose"])
    async def test_json(self, path: str, content_type: str) -> None:
        bodies: list[Any] = [
            b"",
            b"{",
            b"\xff",
            b"[1",
            {"number": 1},
            {"item": {"number": 1}, "other": {}},
            [],
            None,
            5,
        ]
        bodies.append({"item": {"number": 1}, "other": {"number": 2}, "note": "toolong"})
        await compare(self.make, *(post(path, body, content_type) for body in bodies))

    async def test_forms(self) -> None:
        bodies = [b"username=a&password=b&scope=x+y", b"username=a", b"", b"grant_type=x&username=&password=b"]
        form = "application/x-www-form-urlencoded"
        await compare(self.make, *(post("/form", body, form) for body in bodies), post("/form", {"username": 1}))

    async def test_files_stay_open_for_background_tasks(self) -> None:
        part = b'--x\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\nabc\r\n--x--\r\n'
        calls = [post("/file", part, "multipart/form-data; boundary=x"), post("/file", b"--", "multipart/form-data")]
        outcome = (await compare(self.make, *calls))[0]
        assert "closed: False" in outcome.trace


class TestFormLimits:
    @pytest.mark.parametrize(("app_limits", "route_limits"), [(None, {"max_fields": 1}), ({"max_fields": 1}, None)])
    async def test_of_application_and_route_hold(self, app_limits: Any, route_limits: Any) -> None:
        def make(trace: list[str]) -> FastAPI:
            app = FastAPI(form_limits=app_limits)

            @app.post("/", form_limits=route_limits)
            async def respond(a: Annotated[str, Form()], b: Annotated[str, Form()] = "") -> str:
                return a + b

            return app

        form = "application/x-www-form-urlencoded"
        outcomes = await compare(make, post("/", b"a=1", form), post("/", b"a=1&b=2", form))
        assert [outcome.status for outcome in outcomes] == [200, 400]


class TestSecurity:
    async def test_schemes_refuse_and_identify(self) -> None:
        basic = HTTPBasic(realm="here")

        def make(trace: list[str]) -> FastAPI:
            app = FastAPI()

            @app.get("/")
            def respond(credentials: Annotated[HTTPBasicCredentials, Depends(basic)]) -> str:
                return credentials.username

            return app

        await compare(make, get("/"), get("/", Authorization="Basic YTpi"), get("/", Authorization="Basic x"))
