"""An in-memory Socket.IO client for tests: it speaks the whole protocol to the ASGI application, without a network.

    async with SocketClient(app, auth={"token": token}) as client:
        assert await client.call("chat.join", {"room": "lobby"}) == {"room": "lobby"}
        await client.emit("chat.send", {"room": "lobby", "text": "hello"})
        event, message = await client.receive()

Everything else is real: the handshake with its headers, packets, limits, handlers, acks, binary attachments and
disconnects. Effects of a network, such as a slow reader, need a real client. With `TypedNamespace`, type checkers know
the events, payloads and acks.
"""

from src.websockets.testing.client import SocketClient
from src.websockets.testing.session import Received, Session
from src.websockets.testing.transport import Refused
from src.websockets.testing.typed_namespace import EventError, TypedNamespace

__all__ = ["EventError", "Received", "Refused", "Session", "SocketClient", "TypedNamespace"]
