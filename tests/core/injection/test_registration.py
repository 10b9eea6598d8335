"""What is refused when a handler is registered, and how the author is told."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Annotated, Any

import pytest
from fastapi import (
    BackgroundTasks,
    Body,
    Depends,
    File,
    Form,
    Header,
    Path,
    Request,
    Response,
    WebSocket,
)
from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncSession

from src.core.injection import EntryPoint, Special, UnresolvableParameterError, ValidatedArguments, compile_plan

pytestmark = pytest.mark.unit

if TYPE_CHECKING:
    from decimal import Decimal

CLIENT = EntryPoint(specials=frozenset({"sid"}), connection=True, arguments=ValidatedArguments)


async def dependency(page: int = 1) -> int:
    return page


def form(text: Annotated[str, Form()]) -> None: ...
def body(text: Annotated[str, Body()]) -> None: ...
def body_default(text: str = Body()) -> None: ...
def file(text: Annotated[bytes, File()]) -> None: ...
def path(text: Annotated[str, Path()]) -> None: ...
def response(text: Response) -> None: ...
def background(text: BackgroundTasks) -> None: ...
def websocket(text: WebSocket) -> None: ...
def bounded(text: Annotated[int, Depends(dependency, max_concurrency=1)]) -> None: ...
def variadic(*text: int) -> None: ...
def keywords(**text: int) -> None: ...
def unannotated(text) -> None: ...  # type: ignore[no-untyped-def]  # the point of the case
def unknown_special(text: Annotated[str, Special("reason")]) -> None: ...
def not_validatable(text: AsyncSession) -> None: ...
def postponed(text: "Decimal") -> None: ...
def header_with_two_defaults(text: Annotated[str, Header("a")] = "b") -> None: ...
def required_after_optional(other: int = 1, text: int = Field(gt=0)) -> None: ...
def default_factory(text: list[str] = Field(default_factory=list)) -> None: ...  # noqa: B008 - the point of the case
def empty_depends(text: Annotated[str | None, Depends()]) -> None: ...


REFUSED = [
    form, body, body_default, file, path, response, background, websocket, bounded, variadic, keywords, unannotated,
    unknown_special, not_validatable, postponed, header_with_two_defaults, required_after_optional,
    default_factory, empty_depends,
]  # fmt: skip


class TestRefusal:
    @pytest.mark.parametrize("handler", REFUSED)
    def test_names_the_handler_and_the_parameter(self, handler: Any) -> None:
        with pytest.raises(UnresolvableParameterError) as refusal:
            compile_plan(handler, CLIENT)
        assert handler.__name__ in str(refusal.value)
        assert "text" in str(refusal.value)

    def test_of_a_dependency_names_the_dependency(self) -> None:
        async def handler(text: Annotated[int, Depends(dependency)]) -> None: ...

        with pytest.raises(UnresolvableParameterError, match=r"dependency, parameter 'page'"):
            compile_plan(handler, CLIENT)

    @pytest.mark.parametrize(("entry_point", "marker"), [(CLIENT, "Query()"), (EntryPoint(), "Depends(...)")])
    def test_says_what_to_write_instead(self, entry_point: EntryPoint, marker: str) -> None:
        async def handler(text: Annotated[int, Depends(dependency)]) -> None: ...

        with pytest.raises(UnresolvableParameterError) as refusal:
            compile_plan(handler, entry_point)
        assert marker in str(refusal.value)

    def test_of_dependencies_that_need_each_other(self) -> None:
        def one(value: Any) -> None: ...

        def other(value: Annotated[Any, Depends(one)]) -> None: ...

        one.__annotations__["value"] = Annotated[Any, Depends(other)]
        with pytest.raises(UnresolvableParameterError, match=r"one, parameter '\*': it depends on itself"):
            compile_plan(one, CLIENT)

    def test_of_a_generator_that_outlives_what_it_needs(self) -> None:
        async def short() -> AsyncIterator[int]:
            yield 1

        async def long(value: Annotated[int, Depends(short, scope="function")]) -> AsyncIterator[int]:
            yield value

        async def handler(value: Annotated[int, Depends(long)]) -> None: ...

        with pytest.raises(UnresolvableParameterError, match=r"long, parameter 'value'"):
            compile_plan(handler, CLIENT)

    def test_of_a_dependency_without_a_signature(self) -> None:
        async def handler(text: Annotated[Any, Depends(dict)]) -> None: ...

        with pytest.raises(UnresolvableParameterError, match="no signature to read"):
            compile_plan(handler, CLIENT)

    def test_of_a_handler_that_yields(self) -> None:
        async def handler() -> AsyncIterator[int]:
            yield 1

        with pytest.raises(UnresolvableParameterError, match="only dependencies may yield"):
            compile_plan(handler, CLIENT)

    @pytest.mark.parametrize("annotation", [Request, Annotated[str, Header()]])
    def test_of_http_where_there_is_no_connection(self, annotation: Any) -> None:
        async def handler(text: Any) -> None: ...

        handler.__annotations__["text"] = annotation
        with pytest.raises(UnresolvableParameterError, match="no HTTP connection"):
            compile_plan(handler, EntryPoint())


class TestAcceptance:
    def test_a_return_type_may_be_known_to_type_checkers_alone(self) -> None:
        async def handler(count: int) -> "Decimal": ...  # type: ignore[empty-body]  # only its signature matters

        assert list(compile_plan(handler, CLIENT).signature.parameters) == ["count"]

    def test_the_signature_holds_the_unmarked_parameters_alone(self) -> None:
        async def handler(first: int, agent: Annotated[str, Header()], second: str = "") -> None: ...

        assert str(compile_plan(handler, CLIENT).signature) == "(first: int, second: str = '')"

    def test_a_plan_knows_every_callable_of_its_tree(self) -> None:
        async def inner() -> int:
            return 1

        async def outer(value: Annotated[int, Depends(inner)]) -> int:
            return value

        async def handler(value: Annotated[int, Depends(outer)]) -> None: ...

        plan = compile_plan(handler, CLIENT)
        assert plan.depends_on(inner)
        assert not plan.depends_on(dependency)

    def test_a_plan_without_anything_to_inject_says_so(self) -> None:
        async def handler(count: int) -> None: ...

        assert not compile_plan(handler, CLIENT).injects
