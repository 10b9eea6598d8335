"""What an event handler may ask for, besides its payload.

Unmarked parameters are the event's arguments, each validated by its type; in `connect` the one argument is the `auth`
payload. `Depends` is FastAPI's own, and so are `Header`, `Cookie`, `Query`, `Request` and the security schemes, which
are answered from the handshake.
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
"""The handshake request in WSGI's terms; `environ["asgi.scope"]` is the original."""

Auth = Annotated[Any, Special("auth")]
"""The `auth` payload as the client sent it at connect, unvalidated."""

Event = Annotated[str, Special("event")]
"""The event's name, for handlers of `*`."""

Namespace = Annotated[str, Special("namespace")]
"""The event's namespace."""

Arguments = Annotated[Sequence[Any], Special("arguments")]
"""All arguments as the client sent them, unvalidated; a handler that takes them accepts any number."""

Reason = Annotated[str, Special("reason")]
"""Why the client left; in `disconnect` alone. One of `socketio.AsyncServer.reason`."""

Server = Annotated[AsyncServer, Special("server")]
"""The server that the event came to: to emit, and to enter and leave rooms."""
