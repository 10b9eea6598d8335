"""A client for tests: it speaks the whole protocol to the application in memory, with no network and no process.

    async with SocketClient(app, auth={"token": token}) as client:
        assert await client.call("chat.join", {"room": "lobby"}) == {"room": "lobby"}
        await client.emit("chat.send", {"room": "lobby", "text": "hello"})
        event, message = await client.receive()

Everything between the two is the real thing: the handshake with its headers, packets, limits, handlers, acks, binary
attachments, disconnects. What a network adds, such as a reader that is slow, needs a real client.
"""

from src.websockets.testing.client import SocketClient
from src.websockets.testing.session import Received, Session
from src.websockets.testing.transport import Refused

__all__ = ["Received", "Refused", "Session", "SocketClient"]
