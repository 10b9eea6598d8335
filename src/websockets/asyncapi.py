"""The AsyncAPI 3 document of a server, from its registered handlers and the events that it declares to send."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar
from urllib.parse import quote

from src.core.emissions import EVERYWHERE, Emission
from src.core.injection import EMPTY, read_return
from src.websockets import errors
from src.websockets.registry import SocketEvent
from src.websockets.schemas import Schema, Schemas
from src.websockets.server import AsyncServer

CONNECTING = """
Connect with any client of Socket.IO 5, such as `io(url, {auth: {token}})`. The event names are the channels; an ack is
a reply. What goes wrong is told as the ack, where the client asked for one, and as an `error` event in any case; a
refused connect carries the same body in `error.data` of `connect_error`.

"""
TOKEN = {
    "type": "http",
    "scheme": "bearer",
    "description": 'Sent as the `auth` payload of the connect packet: `{"token": "…"}`.',
}

Note = Callable[[SocketEvent], str]


def create_document(
    server: AsyncServer, *, title: str, version: str, path: str = "/socket.io", note: Note = lambda _: ""
) -> Schema:
    """Describe what clients can send and receive.

    Args:
        server: With all its handlers.
        title: The API's name.
        version: The API's version.
        path: Where the server is mounted.
        note: Says more about an event, in Markdown, such as who may send it.
    """
    schemas = Schemas()
    events = [_Handled(event, schemas) for event in server.registered_events() if event.name not in _LIFECYCLE]
    emissions = [_Emitted(emission, schemas) for emission in sorted(server.emissions, key=_is_general)]
    definitions = schemas.make()
    description = CONNECTING + inspect.cleandoc(errors.__doc__ or "")
    error = next(emitted for emitted in emissions if emitted.is_error)
    return {
        "asyncapi": "3.0.0",
        "info": {"title": title, "version": version, "description": description},
        "defaultContentType": "application/json",
        "servers": {"socketio": _server(path)},
        "channels": _channels(*events, *emissions),
        "operations": {
            **{f"receive.{event.id}": event.operation(note(event.event)) for event in events},
            **{f"send.{emitted.id}": emitted.operation() for emitted in emissions},
        },
        "components": {
            "schemas": definitions,
            "messages": {"error": error.message()},
            "securitySchemes": {"token": TOKEN},
        },
    }


_LIFECYCLE = ("connect", "disconnect")


def _is_general(emission: Emission) -> bool:
    return emission.namespace == EVERYWHERE


def _server(path: str) -> Schema:
    return {
        "host": "localhost",
        "pathname": path,
        "protocol": "ws",
        "description": "Socket.IO, by websocket or polling.",
        "security": [{"$ref": "#/components/securitySchemes/token"}],
    }


def _channels(*parts: "_Channel") -> dict[str, Schema]:
    channels: dict[str, Schema] = {}
    for part in parts:
        channels.setdefault(part.id, {**part.channel(), "messages": {}})["messages"].update(part.messages())
    return channels


def _id(namespace: str, event: str) -> str:
    return event if namespace in ("/", EVERYWHERE) else f"{namespace.strip('/').replace('/', '.')}:{event}"


class _Channel:
    """An event in a namespace, on its way to a document.

    Attributes:
        message_name: Tells the event's message from others of the channel: clients and server may both send the event.
    """

    message_name: ClassVar[str]

    def __init__(self, namespace: str, event: str) -> None:
        self.id = _id(namespace, event)
        self.namespace = namespace
        self.name = event

    def messages(self) -> Iterator[tuple[str, Schema]]:
        raise NotImplementedError

    def channel(self) -> Schema:
        where = "every namespace" if self.namespace == EVERYWHERE else f"the namespace `{self.namespace}`"
        return {"address": self.name, "title": self.id, "description": f"In {where}."}

    def reference(self, *parts: str) -> Schema:
        pointer = quote(self.id.replace("~", "~0").replace("/", "~1"), safe="~*:")
        return {"$ref": "/".join(("#/channels", pointer, *parts))}

    def base(self, action: str, summary: str, description: str) -> Schema:
        return {
            "action": action,
            "channel": self.reference(),
            "title": self.id,
            "summary": summary,
            "description": description,
            "tags": [{"name": self.id.partition(".")[0]}],
            "messages": [self.reference("messages", self.message_name)],
        }


class _Handled(_Channel):
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

    def messages(self) -> Iterator[tuple[str, Schema]]:
        yield self.message_name, _message(self.name, self._schemas.get_arguments(self.id, self.event.plan.signature))
        ack = None if self._returns in (EMPTY, None) else self._schemas.get(self.id, "serialization")
        yield "ack", _message("ack", ack)
        yield "error", {"$ref": "#/components/messages/error"}

    def operation(self, note: str) -> Schema:
        summary, _, rest = inspect.cleandoc(self.event.handler.__doc__ or "").partition("\n")
        sends = ", ".join(f"`{name}`" for name in self.event.emits)
        texts = rest.strip(), f"Sends {sends}." if sends else "", note
        replies = [self.reference("messages", name) for name in ("ack", "error")]
        return {
            **self.base("receive", summary, "\n\n".join(filter(None, texts))),
            "reply": {"channel": self.reference(), "messages": replies},
        }


class _Emitted(_Channel):
    """An event that clients receive."""

    message_name = "event"

    def __init__(self, emission: Emission, schemas: Schemas) -> None:
        super().__init__(emission.namespace, emission.event)
        self.emission = emission
        self._schemas = schemas
        if emission.shape is not None:
            schemas.add(f"send {self.id}", "serialization", emission.shape)

    @property
    def is_error(self) -> bool:
        """Whether it is what every failed event is followed by."""
        return _is_general(self.emission) and self.name == "error"

    def message(self) -> Schema:
        shape = self.emission.shape
        return _message(self.name, None if shape is None else self._schemas.get(f"send {self.id}", "serialization"))

    def messages(self) -> Iterator[tuple[str, Schema]]:
        yield self.message_name, {"$ref": "#/components/messages/error"} if self.is_error else self.message()

    def operation(self) -> Schema:
        summary = inspect.cleandoc(self.emission.shape.__doc__ or "").partition("\n")[0]
        senders = ", ".join(f"`{name}`" for name in self.emission.senders)
        return self.base("send", summary, f"Sent by {senders}." if senders else "Sent by the server.")


def _message(name: str, payload: Mapping[str, Any] | None) -> Schema:
    return {"name": name, "title": name} | ({} if payload is None else {"payload": payload})
