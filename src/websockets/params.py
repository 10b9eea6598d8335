"""Markers for parameters of event handlers that are injected.

Unmarked parameters are the event's arguments, each validated by its type; in `connect` the only argument is the `auth`
payload. `Depends` is FastAPI's own, as are `Header`, `Cookie`, `Query`, `Request` and the security schemes, which read
the handshake.
"""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import Depends

from src.core.injection import Special
from src.websockets.server import AsyncServer

__all__ = ["SID", "Arguments", "Auth", "Depends", "Environ", "Event", "Namespace", "Reason", "Server"]

SID = Annotated[str, Special("sid")]
"""The client's session id in this namespace; also the name of its private room."""

Environ = Annotated[dict[str, Any], Special("environ")]
"""The handshake as a WSGI environ; `environ["asgi.scope"]` is its ASGI scope."""

Auth = Annotated[Any, Special("auth")]
"""The `auth` payload of the connect packet, unvalidated."""

Event = Annotated[str, Special("event")]
"""The event's name, for handlers of `*`."""

Namespace = Annotated[str, Special("namespace")]
"""The event's namespace."""

Arguments = Annotated[Sequence[Any], Special("arguments")]
"""All arguments of the event, unvalidated; a handler with this parameter accepts any number of them."""

Reason = Annotated[str, Special("reason")]
"""Why the client left, one of `socketio.AsyncServer.reason`; only in `disconnect`."""

Server = Annotated[AsyncServer, Special("server")]
"""The server that received the event: to emit, and to enter and leave rooms."""
