"""FastAPI's HTTP parameters, answered from a connection."""

from typing import Annotated, Any

import pytest
from fastapi import Cookie, Depends, Header, Query, Request, Security
from fastapi.security import APIKeyHeader, HTTPBearer, OAuth2PasswordBearer, SecurityScopes
from pydantic import AfterValidator, BaseModel, Field
from starlette.requests import HTTPConnection

from src.core.injection import EntryPoint, PayloadError, ValidatedArguments, compile_plan

pytestmark = pytest.mark.unit

CLIENT = EntryPoint(connection=True, arguments=ValidatedArguments)
SCOPE = {
    "type": "http",
    "method": "GET",
    "path": "/socket.io/",
    "query_string": b"page=2&tag=a&tag=b",
    "headers": [
        (b"user-agent", b"tests"),
        (b"x-count", b"7"),
        (b"x-many", b"1"),
        (b"x-many", b"2"),
        (b"x-key", b"secret"),
        (b"authorization", b"Bearer abc"),
        (b"cookie", b"theme=dark"),
    ],
}


async def run(handler: Any) -> Any:
    return await compile_plan(handler, CLIENT).run(connection=lambda: Request(SCOPE))


def handler_of(annotation: Any, *defaults: Any) -> Any:
    async def handler(user_agent: Any) -> Any:
        return user_agent

    handler.__annotations__["user_agent"] = annotation
    handler.__defaults__ = defaults
    return handler


class TestFields:
    @pytest.mark.parametrize(
        ("annotation", "value"),
        [
            (Annotated[str, Header()], "tests"),
            (Annotated[str | None, Header()], "tests"),
            (Annotated[int, Header(alias="X-Count", gt=6)], 7),
            (Annotated[list[int], Header(alias="x-many")], [1, 2]),
            (Annotated[str, AfterValidator(str.upper), Header()], "TESTS"),
            (Annotated[str | None, Header(alias="absent", default_factory=lambda: "made")], "made"),
            (Annotated[int, Query(alias="page")], 2),
            (Annotated[set[str], Query(alias="tag")], {"a", "b"}),
            (Annotated[str, Cookie(alias="theme")], "dark"),
        ],
    )
    async def test_arrive_as_their_type(self, annotation: Any, value: Any) -> None:
        assert await run(handler_of(annotation)) == value

    async def test_may_be_declared_as_defaults(self) -> None:
        assert await run(handler_of(str, Header())) == "tests"

    async def test_fall_back_to_the_parameters_default(self) -> None:
        assert await run(handler_of(Annotated[str, Header(alias="absent")], "none")) == "none"

    @pytest.mark.parametrize("annotation", [Annotated[str, Header(alias="absent")], Annotated[int, Query(alias="tag")]])
    async def test_absent_or_wrong_ones_are_the_clients_fault(self, annotation: Any) -> None:
        with pytest.raises(PayloadError) as refusal:
            await run(handler_of(annotation))
        assert refusal.value.errors[0]["field"] in ("absent", "tag")


class Pages(BaseModel):
    page: int = 1
    tag: list[str] = []


class TestModels:
    async def test_take_all_of_a_source(self) -> None:
        assert await run(handler_of(Annotated[Pages, Query()])) == Pages(page=2, tag=["a", "b"])

    async def test_every_error_is_reported(self) -> None:
        class Wrong(BaseModel):
            page: list[str] = Field(max_length=0)
            missing: int

        async def other(x_count: Annotated[bool, Header()]) -> None: ...

        async def handler(pages: Annotated[Wrong, Query()], more: Annotated[None, Depends(other)]) -> None: ...

        with pytest.raises(PayloadError) as refusal:
            await run(handler)
        assert [error["field"] for error in refusal.value.errors] == ["x-count", "page", "missing"]


class TestConnection:
    @pytest.mark.parametrize("annotation", [Request, HTTPConnection])
    async def test_is_given_itself(self, annotation: Any) -> None:
        assert (await run(handler_of(annotation))).headers["user-agent"] == "tests"

    async def test_is_built_only_when_somebody_asks(self) -> None:
        async def handler() -> str:
            return "done"

        def connection() -> Request:
            raise AssertionError

        assert await compile_plan(handler, CLIENT).run(connection=connection) == "done"

    async def test_is_the_same_for_all_in_one_run(self) -> None:
        async def path(request: Request) -> HTTPConnection:
            return request

        async def handler(connection: HTTPConnection, other: Annotated[HTTPConnection, Depends(path)]) -> bool:
            return connection is other

        assert await run(handler)


class TestSecuritySchemes:
    @pytest.mark.parametrize(
        ("scheme", "value"),
        [(OAuth2PasswordBearer(tokenUrl="login"), "abc"), (APIKeyHeader(name="x-key"), "secret")],
    )
    async def test_read_the_connection(self, scheme: Any, value: str) -> None:
        assert await run(handler_of(Annotated[str, Depends(scheme)])) == value

    async def test_scopes_add_up_on_the_way_to_a_dependency(self) -> None:
        def scopes(security_scopes: SecurityScopes) -> str:
            return security_scopes.scope_str

        def middle(
            own: Annotated[str, Security(scopes, scopes=["read"])], other: Annotated[str, Depends(scopes)]
        ) -> list[str]:
            return [own, other]

        assert await run(handler_of(Annotated[Any, Security(middle, scopes=["admin"])])) == ["admin read", "admin"]

    async def test_bearer_credentials_are_split(self) -> None:
        assert (await run(handler_of(Annotated[Any, Depends(HTTPBearer())]))).credentials == "abc"
