"""The AsyncAPI 3 document of a server, from its registered handlers and the events that it declares to send."""

import inspect
from collections.abc import Callable

from src.core.realtime.event_registry import EVERYWHERE
from src.websockets import errors
from src.websockets.asyncapi.channels import Channel, Emitted, Handled
from src.websockets.asyncapi.schemas import Schema, Schemas
from src.websockets.registry import SocketEvent
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
    events = [Handled(event, schemas) for event in server.registered_events() if event.name not in _LIFECYCLE]
    emissions = [
        Emitted(emission, schemas)
        for emission in sorted(server.emissions, key=lambda emission: emission.namespace == EVERYWHERE)
    ]
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


def _server(path: str) -> Schema:
    return {
        "host": "localhost",
        "pathname": path,
        "protocol": "ws",
        "description": "Socket.IO, by websocket or polling.",
        "security": [{"$ref": "#/components/securitySchemes/token"}],
    }


def _channels(*parts: Channel) -> dict[str, Schema]:
    channels: dict[str, Schema] = {}
    for part in parts:
        channels.setdefault(part.id, {**part.channel(), "messages": {}})["messages"].update(part.messages())
    return channels
