import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from socketio import packet
from starlette.types import ASGIApp, Message, Scope

# Engine.IO packet types.
OPEN, PING, PONG, MESSAGE = "0", "2", "3", "4"

Take = Callable[[packet.Packet], None]


class Refused(ConnectionError):  # noqa: N818 - an outcome that tests expect, not an error
    """The server refused the client.

    Attributes:
        body: `message` and `data` of the error; None if the handshake itself was refused.
    """

    def __init__(self, body: Any = None) -> None:
        super().__init__(body)
        self.body = body


class Transport:
    """An in-memory websocket to an ASGI application.

    Attributes:
        sessions: By namespace, the function that takes its packets.
        closed: Done once the transport has ended.
    """

    def __init__(self, app: ASGIApp, path: str, headers: Mapping[str, str]) -> None:
        self.sessions: dict[str, Take] = {}
        self.closed = asyncio.get_running_loop().create_future()
        self._app = app
        self._scope = _scope(path, headers)
        self._opened = asyncio.get_running_loop().create_future()
        self._to_app: asyncio.Queue[Message] = asyncio.Queue()
        self._pending: packet.Packet | None = None
        self._running: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Connect; returns when the server has opened the transport.

        Raises:
            Refused: The server refuses the handshake.
        """
        self._to_app.put_nowait({"type": "websocket.connect"})
        self._running = asyncio.create_task(self._run())
        await self._opened

    def send(self, message: packet.Packet) -> None:
        """Send a packet with its attachments."""
        encoded = message.encode()
        text, *attachments = encoded if isinstance(encoded, list) else [encoded]
        self._put(text=MESSAGE + text)
        for attachment in attachments:
            self._put(bytes=attachment)

    async def close(self) -> None:
        """Close without a packet; returns when the application has handled it."""
        self._to_app.put_nowait({"type": "websocket.disconnect", "code": 1005})
        if self._running is not None:
            await self._running

    def _put(self, **content: Any) -> None:
        self._to_app.put_nowait({"type": "websocket.receive", **content})

    async def _run(self) -> None:
        try:
            await self._app(self._scope, self._to_app.get, self._take)
        finally:
            self._end()

    async def _take(self, message: Message) -> None:
        """Receive from the application; a packet is dispatched with its last attachment."""
        if message["type"] == "websocket.close":
            self._end()
        elif message.get("text"):
            self._take_text(message["text"])
        elif self._pending is not None and self._pending.add_attachment(message["bytes"]):
            self._dispatch(self._pending)

    def _take_text(self, text: str) -> None:
        if text[0] == OPEN:
            self._opened.set_result(None)
        elif text[0] == PING:
            self._put(text=PONG)
        elif text[0] == MESSAGE:
            self._pending = packet.Packet(encoded_packet=text[1:])
            if not self._pending.attachment_count:
                self._dispatch(self._pending)

    def _dispatch(self, received: packet.Packet) -> None:
        if take := self.sessions.get(received.namespace or "/"):
            take(received)

    def _end(self) -> None:
        if not self._opened.done():
            self._opened.set_exception(Refused())
        if not self.closed.done():
            self.closed.set_result(None)


def _scope(path: str, headers: Mapping[str, str]) -> Scope:
    pairs = {"host": "testserver", "upgrade": "websocket", "connection": "upgrade", **headers}
    return {
        "type": "websocket",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "scheme": "ws",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"EIO=4&transport=websocket",
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in pairs.items()],
        "client": ("127.0.0.1", 0),
        "server": ("testserver", 80),
        "subprotocols": [],
    }
