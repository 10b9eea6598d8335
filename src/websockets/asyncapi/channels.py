"""Events in the AsyncAPI document: each has a channel, messages and an operation."""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import ClassVar
from urllib.parse import quote

from typing_extensions import override

from src.core.injection import EMPTY, read_return
from src.core.realtime.event_registry import ANY_NAMESPACE, EventSchema
from src.websockets.asyncapi.schemas import Schema, Schemas
from src.websockets.compiled_event import SocketEvent


def _id(namespace: str, event: str) -> str:
    return event if namespace in ("/", ANY_NAMESPACE) else f"{namespace.strip('/').replace('/', '.')}:{event}"


class Channel(ABC):
    """An event of a namespace.

    Attributes:
        message_name: Of the event's message in the channel, which clients and server may both send to.
    """

    message_name: ClassVar[str]

    def __init__(self, namespace: str, event: str) -> None:
        self.id = _id(namespace, event)
        self.namespace = namespace
        self.name = event

    @abstractmethod
    def messages(self) -> Iterator[tuple[str, Schema]]:
        """The channel's messages by name."""

    def channel(self) -> Schema:
        """The channel, without its messages."""
        where = "every namespace" if self.namespace == ANY_NAMESPACE else f"the namespace `{self.namespace}`"
        return {"address": self.name, "title": self.id, "description": f"In {where}."}

    def reference(self, *parts: str) -> Schema:
        """Build a reference to the channel, or to a part of it."""
        pointer = quote(self.id.replace("~", "~0").replace("/", "~1"), safe="~*:")
        return {"$ref": "/".join(("#/channels", pointer, *parts))}

    def base(self, action: str, summary: str, description: str) -> Schema:
        """Build an operation on the event's message; `action` is that of the server: `receive` or `send`."""
        return {
            "action": action,
            "channel": self.reference(),
            "title": self.id,
            "summary": summary,
            "description": description,
            "tags": [{"name": self.id.partition(".")[0]}],
            "messages": [self.reference("messages", self.message_name)],
        }


class Handled(Channel):
    """An event that clients send."""

    message_name = "request"

    def __init__(self, event: SocketEvent, schemas: Schemas) -> None:
        super().__init__(event.namespace, event.name)
        self.event = event
        self._schemas = schemas
        self._returns = read_return(event.handler)
        schemas.add_arguments(self.id, event.plan.signature)
        if self._returns is not EMPTY:
            schemas.add(self.id, "serialization", self._returns)

    @override
    def messages(self) -> Iterator[tuple[str, Schema]]:
        arguments = self._schemas.get_arguments(self.id, self.event.plan.signature)
        yield self.message_name, self._schemas.message(self.name, arguments)
        ack = None if self._returns in (EMPTY, None) else self._schemas.get(self.id, "serialization")
        yield "ack", self._schemas.message(f"{self.name}.ack", ack)
        yield "error", {"$ref": "#/components/messages/error"}

    def operation(self, note: str) -> Schema:
        """The operation: receive the event, reply with its ack or an error."""
        summary, _, rest = inspect.cleandoc(self.event.handler.__doc__ or "").partition("\n")
        sends = ", ".join(f"`{name}`" for name in self.event.emits)
        texts = rest.strip(), f"Sends {sends}." if sends else "", note
        replies = [self.reference("messages", name) for name in ("ack", "error")]
        return {
            **self.base("receive", summary, "\n\n".join(filter(None, texts))),
            "reply": {"channel": self.reference(), "messages": replies},
        }


class Emitted(Channel):
    """An event that clients receive."""

    message_name = "event"

    def __init__(self, declared: EventSchema, schemas: Schemas) -> None:
        super().__init__(declared.namespace, declared.event)
        self.declared = declared
        self._schemas = schemas
        if declared.payload_type is not None:
            schemas.add(f"send {self.id}", "serialization", declared.payload_type)

    @property
    def is_error(self) -> bool:
        """Whether it is the `error` event that follows every failed event."""
        return self.declared.namespace == ANY_NAMESPACE and self.name == "error"

    def message(self) -> Schema:
        """The event's message."""
        has_payload = self.declared.payload_type is not None
        payload = self._schemas.get(f"send {self.id}", "serialization") if has_payload else None
        return self._schemas.message(self.name, payload)

    @override
    def messages(self) -> Iterator[tuple[str, Schema]]:
        yield self.message_name, {"$ref": "#/components/messages/error"} if self.is_error else self.message()

    def operation(self) -> Schema:
        """The operation: send the event."""
        summary = inspect.cleandoc(self.declared.payload_type.__doc__ or "").partition("\n")[0]
        senders = ", ".join(f"`{name}`" for name in self.declared.senders)
        return self.base("send", summary, f"Sent by {senders}." if senders else "Sent by the server.")
