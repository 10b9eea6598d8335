"""What the caller sends: passed through for Python, validated for clients."""

from typing import Annotated, Any

import pytest
from fastapi import Depends
from pydantic import BaseModel, Field

from src.core.injection import (
    EntryPoint,
    PayloadError,
    Special,
    UnresolvableParameterError,
    ValidatedArguments,
    compile_plan,
)

pytestmark = pytest.mark.unit

CLIENT = EntryPoint(arguments=ValidatedArguments)


class Message(BaseModel):
    text: str
    room: str = "all"


async def send(handler: Any, *args: Any) -> Any:
    return await compile_plan(handler, CLIENT).run(args)


async def refuse(handler: Any, *args: Any) -> PayloadError:
    with pytest.raises(PayloadError) as refusal:
        await send(handler, *args)
    return refusal.value


class TestNativeArguments:
    async def test_are_passed_as_they_are(self) -> None:
        async def handler(count: int) -> Any:
            return count

        assert await compile_plan(handler, EntryPoint()).run(("one",)) == "one"

    async def test_a_field_as_default_means_its_default(self) -> None:
        async def handler(count: int = Field(7, gt=0)) -> Any:
            return count

        assert await compile_plan(handler, EntryPoint()).run() == 7

    async def test_may_be_named_like_a_special(self) -> None:
        async def handler(sid: int, other: Annotated[str, Special("sid")]) -> list[Any]:
            return [sid, other]

        plan = compile_plan(handler, EntryPoint(specials=frozenset({"sid"})))
        assert await plan.run((1,), specials={"sid": "s"}) == [1, "s"]

    async def test_may_be_positional_only(self) -> None:
        async def handler(count: int, /, other: int = 2, *, third: int = 3) -> list[int]:
            return [count, other, third]

        assert await compile_plan(handler, EntryPoint()).run((1,), {"third": 4}) == [1, 2, 4]

    async def test_a_wrong_call_is_the_callers_type_error(self) -> None:
        async def handler(count: int) -> None: ...

        with pytest.raises(TypeError, match="missing a required argument: 'count'"):
            await compile_plan(handler, EntryPoint()).run()


class TestValidatedArguments:
    @pytest.mark.parametrize(
        ("annotation", "sent", "received"),
        [
            (Message, {"text": "hi"}, Message(text="hi")),
            (list[Message], [{"text": "hi"}], [Message(text="hi")]),
            (Message | None, None, None),
            (Annotated[Message, Field(description="x")], {"text": "hi"}, Message(text="hi")),
            (int, "3", 3),
            (Annotated[int, Field(gt=0)], 3, 3),
            (bytes, b"\xff\x00", b"\xff\x00"),
            (dict[str, int], {"a": 1}, {"a": 1}),
            (Any, [1], [1]),
        ],
    )
    async def test_arrive_as_their_type(self, annotation: Any, sent: Any, received: Any) -> None:
        async def handler(payload: Any) -> Any:
            return payload

        handler.__annotations__["payload"] = annotation
        assert await send(handler, sent) == received

    async def test_are_taken_in_order(self) -> None:
        async def handler(message: Message, count: int, note: str = "none") -> list[Any]:
            return [message.text, count, note]

        assert await send(handler, {"text": "hi"}, 2) == ["hi", 2, "none"]

    async def test_may_be_constrained_by_their_default(self) -> None:
        async def handler(count: int = Field(gt=0), other: int = Field(7, gt=0)) -> list[int]:
            return [count, other]

        assert await send(handler, 1) == [1, 7]
        assert [error["field"] for error in (await refuse(handler, 0, 0)).errors] == ["count", "other"]
        assert (await refuse(handler)).wrong_kind

    async def test_a_missing_field_is_named(self) -> None:
        async def handler(message: Message) -> None: ...

        refusal = await refuse(handler, {})
        assert refusal.errors == [{"field": "text", "message": "Field required", "type": "missing"}]
        assert not refusal.wrong_kind

    async def test_all_faults_are_reported_with_their_parameter(self) -> None:
        async def handler(message: Message, count: Annotated[int, Field(gt=0)]) -> None: ...

        assert [fault["field"] for fault in (await refuse(handler, {}, 0)).errors] == ["message.text", "count"]

    @pytest.mark.parametrize("sent", ["text", 5, None, [], b"raw"])
    async def test_another_kind_is_told_apart(self, sent: Any) -> None:
        async def handler(message: Message) -> None: ...

        assert (await refuse(handler, sent)).wrong_kind

    async def test_a_field_of_another_kind_is_an_ordinary_fault(self) -> None:
        async def handler(message: Message) -> None: ...

        assert not (await refuse(handler, {"text": {}})).wrong_kind

    @pytest.mark.parametrize("sent", [[], [{"text": "hi"}, 2, 3]])
    async def test_too_few_and_too_many_are_refused(self, sent: list[Any]) -> None:
        async def handler(message: Message, count: int = 1) -> None: ...

        assert (await refuse(handler, *sent)).wrong_kind

    async def test_what_was_sent_is_not_repeated(self) -> None:
        async def handler(count: int) -> None: ...

        assert "secret" not in str((await refuse(handler, "secret")).errors)

    async def test_a_validation_error_of_the_handlers_own_is_not_blamed_on_the_client(self) -> None:
        async def handler(message: Message) -> None:
            Message.model_validate({})

        with pytest.raises(ValueError, match="validation error for Message") as error:
            await send(handler, {"text": "hi"})
        assert not isinstance(error.value, PayloadError)


class TestSharedArguments:
    """A dependency takes an argument of its handler by name and type, as FastAPI's dependencies take the body."""

    async def test_are_those_of_the_handler(self) -> None:
        async def room(message: Message) -> str:
            return message.room

        async def nested(room: Annotated[str, Depends(room)], message: Message) -> str:
            return f"{room}: {message.text}"

        async def handler(message: Message, line: Annotated[str, Depends(nested)]) -> list[Any]:
            return [message.text, line]

        assert await send(handler, {"text": "hi"}) == ["hi", "all: hi"]

    async def test_serve_a_guard(self) -> None:
        seen: list[str] = []

        async def guard(message: Message) -> None:
            seen.append(message.text)

        async def handler(message: Message) -> None: ...

        await compile_plan(handler, CLIENT, dependencies=[Depends(guard)]).run([{"text": "hi"}])
        assert seen == ["hi"]

    async def test_are_validated_first(self) -> None:
        async def room(message: Message) -> str:
            raise AssertionError

        async def handler(message: Message, room: Annotated[str, Depends(room)]) -> None: ...

        assert (await refuse(handler, {})).errors[0]["field"] == "text"

    async def test_have_the_handlers_default(self) -> None:
        async def double(count: int = 1) -> int:
            return 2 * count

        async def handler(doubled: Annotated[int, Depends(double)], count: int = 5) -> int:
            return doubled

        assert await send(handler) == 10

    @pytest.mark.parametrize("annotation", [int, Message | None, "str"])
    def test_of_another_type_are_refused(self, annotation: Any) -> None:
        async def room(message: Any) -> None: ...

        room.__annotations__["message"] = annotation

        async def handler(message: Message, room: Annotated[str, Depends(room)]) -> None: ...

        with pytest.raises(UnresolvableParameterError, match="room, parameter 'message'"):
            compile_plan(handler, CLIENT)
