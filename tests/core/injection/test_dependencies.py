"""Dependencies: how they are declared, shared, run, closed and replaced."""

import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from functools import partial, wraps
from typing import Annotated, Any

import pytest
from fastapi import Depends
from typing_extensions import TypeAliasType

from src.core.injection import EntryPoint, Special, UnresolvableParameterError, compile_plan, on_loop

pytestmark = pytest.mark.unit

TASK = EntryPoint(specials=frozenset({"sid"}))
SID = Annotated[str, Special("sid")]


async def answer() -> int:
    return 42


Answer = TypeAliasType("Answer", Annotated[int, Depends(answer)])


class Pager:
    def __init__(self, size: Annotated[int, Depends(answer)]) -> None:
        self.size = size


class Adder:
    def __init__(self, amount: int) -> None:
        self.amount = amount

    async def __call__(self, base: Annotated[int, Depends(answer)]) -> int:
        return base + self.amount


async def run(handler: Any, *args: Any, **options: Any) -> Any:
    return await compile_plan(handler, TASK).run(args, **options)


class TestDeclaration:
    async def test_as_a_default(self) -> None:
        async def handler(value: int = Depends(answer)) -> int:
            return value

        assert await run(handler) == 42

    async def test_as_annotated(self) -> None:
        async def handler(value: Annotated[int, Depends(answer)]) -> int:
            return value

        assert await run(handler) == 42

    async def test_as_a_type_alias(self) -> None:
        async def handler(value: Answer) -> int:
            return value

        assert await run(handler) == 42

    async def test_as_postponed_annotations(self) -> None:
        async def handler(count: "int", value: "Annotated[int, Depends(answer)]") -> int:
            return count + value

        assert await run(handler, 1) == 43

    async def test_as_a_class_that_its_annotation_names(self) -> None:
        async def handler(pager: Annotated[Pager, Depends()]) -> int:
            return pager.size

        assert await run(handler) == 42

    async def test_as_a_callable_object(self) -> None:
        async def handler(value: Annotated[int, Depends(Adder(1))]) -> int:
            return value

        assert await run(handler) == 43

    async def test_as_a_partial_function(self) -> None:
        async def add(amount: int, base: Answer) -> int:
            return base + amount

        async def handler(value: Annotated[int, Depends(partial(add, 1))]) -> int:
            return value

        assert await run(handler) == 43

    async def test_as_a_partial_function_with_a_keyword(self) -> None:
        async def add(base: Answer, amount: int) -> int:
            return base + amount

        async def handler(value: Annotated[int, Depends(partial(add, amount=1))]) -> int:
            return value

        assert await run(handler) == 43

    @pytest.mark.parametrize("wrapped_is_async", [True, False])
    async def test_as_a_decorated_function_of_another_kind(self, wrapped_is_async: bool) -> None:
        def synchronous() -> int:
            return 42

        def wrapper() -> Any:
            return answer()

        async def async_wrapper() -> int:
            return synchronous()

        function: Any = wraps(answer)(wrapper) if wrapped_is_async else wraps(synchronous)(async_wrapper)

        async def handler(value: Annotated[int, Depends(function)]) -> int:
            return value

        assert await run(handler) == 42

    async def test_as_a_decorated_function(self) -> None:
        def loud(call: Any) -> Any:
            @wraps(call)
            def wrapper(*args: Any, **kwargs: Any) -> Any:
                return call(*args, **kwargs)

            return wrapper

        async def handler(value: Annotated[int, Depends(loud(answer))]) -> int:
            return value

        assert await run(handler) == 42

    async def test_as_a_keyword_only_parameter(self) -> None:
        async def handler(*, value: Answer) -> int:
            return value

        assert await run(handler) == 42

    async def test_of_the_handler_without_a_parameter(self) -> None:
        called: list[str] = []

        async def guard(sid: SID) -> None:
            called.append(sid)

        async def handler() -> None: ...

        plan = compile_plan(handler, TASK, dependencies=[Depends(guard)])
        await plan.run(specials={"sid": "a"})
        assert called == ["a"]

    async def test_between_the_callers_own_arguments(self) -> None:
        async def handler(first: int, value: Answer, second: int = 2, *, third: int = 3) -> list[int]:
            return [first, value, second, third]

        assert await compile_plan(handler, TASK).run((1, 5), {"third": 6}) == [1, 42, 5, 6]


class TestSharing:
    async def test_one_value_serves_the_whole_run(self) -> None:
        async def token() -> object:
            return object()

        async def user(value: Annotated[object, Depends(token)]) -> object:
            return value

        async def handler(one: Annotated[object, Depends(token)], two: Annotated[object, Depends(user)]) -> bool:
            return one is two

        assert await run(handler)

    async def test_use_cache_false_makes_another(self) -> None:
        async def token() -> object:
            return object()

        async def handler(
            one: Annotated[object, Depends(token)], two: Annotated[object, Depends(token, use_cache=False)]
        ) -> bool:
            return one is two

        assert not await run(handler)

    async def test_nothing_is_shared_between_runs(self) -> None:
        async def token() -> object:
            return object()

        async def handler(value: Annotated[object, Depends(token)]) -> object:
            return value

        plan = compile_plan(handler, TASK)
        assert await plan.run() is not await plan.run()


class TestThreads:
    async def test_synchronous_functions_leave_the_loop_alone(self) -> None:
        def where() -> int:
            return threading.get_ident()

        def handler(dependency: Annotated[int, Depends(where)]) -> set[int]:
            return {dependency, threading.get_ident()}

        assert threading.get_ident() not in await run(handler)

    async def test_on_loop_keeps_one_on_the_loop(self) -> None:
        @on_loop
        def where() -> int:
            return threading.get_ident()

        async def handler(dependency: Annotated[int, Depends(where)]) -> int:
            return dependency

        assert await run(handler) == threading.get_ident()

    async def test_on_loop_keeps_a_generator_on_the_loop(self) -> None:
        seen: list[int] = []

        @on_loop
        def where() -> Iterator[int]:
            yield threading.get_ident()
            seen.append(threading.get_ident())

        async def handler(dependency: Annotated[int, Depends(where)]) -> None:
            seen.append(dependency)

        await run(handler)
        assert seen == [threading.get_ident()] * 2


class TestGenerators:
    """Each case runs with an asynchronous and a synchronous generator."""

    @staticmethod
    def resource(log: list[str], *, is_async: bool) -> Any:
        async def asynchronous() -> AsyncIterator[str]:
            try:
                yield "open"
                log.append("commit")
            except ValueError as error:
                log.append(f"rollback {error}")
                raise
            finally:
                log.append("close")

        def synchronous() -> Iterator[str]:
            try:
                yield "open"
                log.append("commit")
            except ValueError as error:
                log.append(f"rollback {error}")
                raise
            finally:
                log.append("close")

        return asynchronous if is_async else synchronous

    @pytest.mark.parametrize("is_async", [True, False])
    async def test_close_before_the_result_is_returned(self, is_async: bool) -> None:
        log: list[str] = []

        async def handler(value: Annotated[str, Depends(self.resource(log, is_async=is_async))]) -> str:
            log.append(value)
            return value

        assert await run(handler) == "open"
        assert log == ["open", "commit", "close"]

    @pytest.mark.parametrize("is_async", [True, False])
    async def test_see_the_handlers_exception(self, is_async: bool) -> None:
        log: list[str] = []

        async def handler(value: Annotated[str, Depends(self.resource(log, is_async=is_async))]) -> None:
            raise ValueError("no")

        with pytest.raises(ValueError, match="no"):
            await run(handler)
        assert log == ["rollback no", "close"]

    async def test_close_in_reverse_even_when_one_fails(self) -> None:
        log: list[str] = []

        async def outer() -> AsyncIterator[int]:
            yield 1
            log.append("outer")

        async def inner(value: Annotated[int, Depends(outer)]) -> AsyncIterator[int]:
            try:
                yield value
            finally:
                log.append("inner")
                raise OSError("inner")

        async def broken(value: Annotated[int, Depends(outer)]) -> AsyncIterator[int]:
            yield value
            log.append("broken")

        async def handler(one: Annotated[int, Depends(inner)], two: Annotated[int, Depends(broken)]) -> None: ...

        with pytest.raises(OSError, match="inner"):
            await run(handler)
        assert log == ["broken", "inner"]

    async def test_a_failing_end_is_the_calls_error(self) -> None:
        async def transaction() -> AsyncIterator[None]:
            yield
            raise OSError("commit failed")

        async def handler(value: Annotated[None, Depends(transaction)]) -> str:
            return "done"

        with pytest.raises(OSError, match="commit failed"):
            await run(handler)

    async def test_a_swallowed_exception_is_an_error_and_no_result(self) -> None:
        async def careless() -> AsyncIterator[None]:
            try:
                yield
            except ValueError:
                return

        async def handler(value: Annotated[None, Depends(careless)]) -> None:
            raise ValueError

        with pytest.raises(RuntimeError, match="swallowed"):
            await run(handler)

    async def test_of_scope_function_close_first(self) -> None:
        log: list[str] = []

        def closing(name: str) -> Any:
            async def generator() -> AsyncIterator[None]:
                yield
                log.append(name)

            return generator

        async def handler(
            one: Annotated[None, Depends(closing("function"), scope="function")],
            two: Annotated[None, Depends(closing("request"), scope="request")],
        ) -> None: ...

        await run(handler)
        assert log == ["function", "request"]

    @pytest.mark.parametrize("scope", ["function", "request"])
    async def test_one_that_swallows_shows_the_outer_ones_an_error(self, scope: Any) -> None:
        seen: list[str] = []

        async def outer() -> AsyncIterator[None]:
            try:
                yield
            except RuntimeError as error:
                seen.append(str(error))
                raise

        async def careless(value: Annotated[None, Depends(outer)]) -> AsyncIterator[None]:
            with suppress(ValueError):
                yield

        async def handler(value: Annotated[None, Depends(careless, scope=scope)]) -> None:
            raise ValueError

        with pytest.raises(RuntimeError, match="swallowed"):
            await run(handler)
        assert len(seen) == (scope == "function")

    @pytest.mark.parametrize("scope", ["function", "request"])
    async def test_both_scopes_end_with_the_call(self, scope: Any) -> None:
        log: list[str] = []

        async def handler(value: Annotated[str, Depends(self.resource(log, is_async=True), scope=scope)]) -> None: ...

        await run(handler)
        assert log == ["commit", "close"]


class TestOverrides:
    async def test_replace_a_dependency_and_what_it_needs(self) -> None:
        async def broken() -> int:
            raise AssertionError

        async def original(value: Annotated[int, Depends(broken)]) -> int:
            return value

        async def handler(value: Annotated[int, Depends(original)]) -> int:
            return value

        assert await run(handler, overrides={original: answer}) == 42

    async def test_may_have_dependencies_of_their_own(self) -> None:
        async def double(value: Answer) -> int:
            return 2 * value

        async def original() -> int:
            return 0

        async def handler(value: Annotated[int, Depends(original)]) -> int:
            return value

        assert await run(handler, overrides={original: double}) == 84

    async def test_end_when_they_are_removed(self) -> None:
        async def zero() -> int:
            return 0

        async def handler(value: Answer) -> int:
            return value

        plan = compile_plan(handler, TASK)
        overrides: dict[Any, Any] = {answer: zero}
        assert await plan.run(overrides=overrides) == 0
        overrides.clear()
        assert await plan.run(overrides=overrides) == 42

    async def test_that_need_what_they_replace_are_refused(self) -> None:
        async def double(value: Answer) -> int:
            return 2 * value

        async def handler(value: Answer) -> int:
            return value

        with pytest.raises(UnresolvableParameterError, match="depends on itself"):
            await run(handler, overrides={answer: double})

    async def test_of_others_change_nothing(self) -> None:
        async def handler(value: Answer) -> int:
            return value

        assert await run(handler, overrides={Pager: answer}) == 42
