from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from src.core.realtime.event_registry import ANY_NAMESPACE, EventRegistry, UndeclaredEventError

pytestmark = pytest.mark.unit

NOW = datetime(2026, 1, 2, tzinfo=UTC)


class Message(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, from_attributes=True)

    text: str
    sent_at: datetime = NOW


class Longer(Message):
    more: str = ""


class TestDeclaring:
    def test_the_same_twice_is_one(self) -> None:
        registry = EventRegistry()
        registry.declare({"news": Message}, sender="chat.send")
        registry.declare({"news": Message}, sender="chat.edit")
        assert [schema.senders for schema in registry] == [["chat.send", "chat.edit"]]

    def test_a_second_payload_type_of_one_event_is_refused(self) -> None:
        with pytest.raises(ValueError, match="'news' in '/' is declared as"):
            EventRegistry({"news": Message}).declare({"news": str})

    def test_namespaces_are_apart(self) -> None:
        registry = EventRegistry({"news": Message})
        registry.declare({"news": str}, "/other")
        registry.check("news", "text", "/other")


class TestChecking:
    @pytest.mark.parametrize(
        ("payload_type", "data"),
        [
            (Message, Message(text="hi")),
            (Message, {"text": "hi", "sentAt": "2026-01-02T00:00:00Z"}),
            (Message, {"text": "hi", "sentAt": NOW}),
            (list[Message], [Message(text="hi")]),
            (dict[str, Message], {"key": Message(text="hi")}),
            (tuple[int, Message], (1, Message(text="hi"))),
            (datetime, NOW),
            (bytes, b"\xff"),
            (None, None),
            (Message | None, None),
        ],
    )
    def test_a_matching_payload_passes(self, payload_type: Any, data: Any) -> None:
        EventRegistry({"news": payload_type}).check("news", data)

    @pytest.mark.parametrize(
        ("payload_type", "data"),
        [
            (Message, {"text": 5}),
            (Message, {"text": "hi"}),  # `sentAt` is missing
            (Message, {"text": "hi", "sent_at": NOW}),  # clients expect `sentAt`
            (Message, Longer(text="hi", more="than declared").model_dump()),
            (list[Message], Message(text="hi")),
            (int, "1"),
            (None, "something"),
            (Message, None),
        ],
    )
    def test_anything_else_is_refused(self, payload_type: Any, data: Any) -> None:
        with pytest.raises(UndeclaredEventError, match="'news' is declared as"):
            EventRegistry({"news": payload_type}).check("news", data)

    def test_an_undeclared_event_is_refused(self) -> None:
        with pytest.raises(UndeclaredEventError, match="'news' in '/' is not declared"):
            EventRegistry().check("news", None)

    def test_a_declaration_may_be_for_every_namespace(self) -> None:
        registry = EventRegistry()
        registry.declare({"error": str}, ANY_NAMESPACE)
        registry.check("error", "text", "/anywhere")
