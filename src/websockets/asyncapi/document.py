"""The AsyncAPI 3 document of a server, from its registered handlers and declared events."""

import inspect
from collections.abc import Callable

from src.core.realtime.event_registry import ANY_NAMESPACE
from src.websockets import errors
from src.websockets.asyncapi.channels import Channel, Emitted, Handled
from src.websockets.asyncapi.schemas import Schema, Schemas
from src.websockets.compiled_event import SocketEvent
from src.websockets.server import AsyncServer

CONNECTING = """
Connect with any Socket.IO 5 client, such as `io(url, {auth: {token}})`. Channels are events, replies are acks. Errors
are sent as the ack, if the client requested one, and always as an `error` event; when a connect is refused,
`error.data` of `connect_error` has the same body.

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
    """Create the document.

    Args:
        server: With all its handlers registered.
        title: The API's name.
        version: The API's version.
        path: Where the server is mounted.
        note: Returns Markdown to append to an event's description, such as who may send it.
    """
    schemas = Schemas()
    events = [Handled(event, schemas) for event in server.registered_events() if event.name not in _LIFECYCLE]
    emitted_events = [
        Emitted(declared, schemas)
        for declared in sorted(server.declared_events, key=lambda declared: declared.namespace == ANY_NAMESPACE)
    ]
    definitions = schemas.generate()
    description = CONNECTING + inspect.cleandoc(errors.__doc__ or "")
    error = next(emitted for emitted in emitted_events if emitted.is_error)
    return {
        "asyncapi": "3.0.0",
        "info": {"title": title, "version": version, "description": description},
        "defaultContentType": "application/json",
        "servers": {"socketio": _server(path)},
        "channels": _channels(*events, *emitted_events),
        "operations": {
            **{f"receive.{event.id}": event.operation(note(event.event)) for event in events},
            **{f"send.{emitted.id}": emitted.operation() for emitted in emitted_events},
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


def _channels(*all_channels: Channel) -> dict[str, Schema]:
    channels: dict[str, Schema] = {}
    for channel in all_channels:
        channels.setdefault(channel.id, {**channel.channel(), "messages": {}})["messages"].update(channel.messages())
    return channels
