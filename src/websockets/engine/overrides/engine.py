import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import cached_property, partial
from typing import Any

import engineio
from engineio.async_drivers import asgi
from engineio.async_socket import AsyncSocket
from engineio.exceptions import EngineIOError
from starlette.datastructures import Headers, QueryParams
from starlette.responses import Response

from src.utils.deadline import Deadline
from src.websockets.engine.delivery import SendQueue
from src.websockets.engine.overrides.environ import translate_request
from src.websockets.engine.overrides.websocket import PROTOCOL_ERRORS, WebSocket
from src.websockets.limits import Limits
from src.websockets.recovery import Offset

_FLUSH_SECONDS = 2
_UNREAD_SECONDS = 3


class Engine(engineio.AsyncServer):  # type: ignore[misc]  # its base is untyped
    """`engineio.AsyncServer` with bounded send queues, and transports that can be closed by the server.

    Attributes:
        limits: Those of the send queues.
        on_overflow: Called with the id of a transport that reads too slowly.
    """

    limits: Limits
    on_overflow: Callable[[str], None]

    def __init__(self, **options: Any) -> None:
        """The driver's table of classes has no public way to replace the websocket."""
        super().__init__(**options)
        self._async: dict[str, Any] = {**asgi._async, "websocket": WebSocket, "translate_request": translate_request}

    @cached_property
    def silence(self) -> Deadline:
        """How long a client may be silent: it answers each ping."""
        return Deadline(self.ping_interval + self.ping_timeout)

    def create_queue(self, *_args: Any, **_options: Any) -> SendQueue:
        """Engine.IO's queue is unbounded, and does not know its size in bytes."""
        return SendQueue()

    def start_background_task(self, target: Any, *args: Any, **options: Any) -> asyncio.Task[Any]:
        """A socket's next ping would wait for 25 seconds after the socket has ended: keep it as `socket.ping`."""
        task: asyncio.Task[Any] = super().start_background_task(target, *args, **options)
        socket = getattr(target, "__self__", None)
        if isinstance(socket, AsyncSocket):
            socket.ping = task
        return task

    async def handle_request(self, *args: Any) -> Any:
        """Engine.IO reads what is left of a POST that is too large, and all of one without a length, for ever."""
        scope, _, _ = args
        if scope["type"] == "http" and scope["method"] == "POST":
            length = Headers(scope=scope).get("content-length")
            if length is None or int(length) > self.max_http_buffer_size:
                await self.abort_transport(QueryParams(scope["query_string"]).get("sid", ""))
                return await Response(status_code=411 if length is None else 413)(*args)
        return await super().handle_request(*args)

    def watch_requests(self, sid: str) -> None:
        """Engine.IO logs invalid POST requests, and answers them with 200: answer 400, and close the transport."""
        socket = self.sockets[sid]
        socket.handle_get_request = partial(self._handle_get_request, socket)
        socket.handle_post_request = partial(self._handle_post_request, socket)

    async def _handle_get_request(self, socket: Any, environ: dict[str, Any]) -> Any:
        connection = getattr(environ["asgi.send"], "__self__", None)
        socket.transport = getattr(connection, "transport", None)
        return await AsyncSocket.handle_get_request(socket, environ)

    async def _handle_post_request(self, socket: Any, environ: dict[str, Any]) -> None:
        try:
            await AsyncSocket.handle_post_request(socket, environ)
        except PROTOCOL_ERRORS as error:
            await self.abort(socket)
            self.sockets[socket.sid] = socket  # Engine.IO answers 400 if it knows the socket, and then forgets it
            raise EngineIOError("invalid request") from error

    async def _trigger_event(self, event: str, *args: Any, run_async: bool = False) -> Any:
        """Engine.IO wraps each message in a closure and swallows errors; ours handles its own."""
        if event == "message" and not run_async:
            return await self.handlers[event](*args)
        if event != "disconnect":
            return await super()._trigger_event(event, *args, run_async=run_async)
        loop, (sid, *_) = asyncio.get_running_loop(), args
        loop.call_later(_UNREAD_SECONDS, _abort_unread, getattr(self.sockets.get(sid), "transport", None))
        try:
            return await super()._trigger_event(event, *args, run_async=run_async)
        finally:  # Engine.IO marks the socket as closed; a POST to it would be a KeyError
            if socket := self.sockets.pop(sid, None):
                # The first two refer to the socket, and Engine.IO refers to it a while longer.
                for name in ("handle_get_request", "handle_post_request", "transport"):
                    vars(socket).pop(name, None)

    async def send_packet(self, sid: str, pkt: Any) -> None:
        """Engine.IO does not check the size of the queue."""
        self.post(sid, (pkt,))

    def post(self, sid: str, packets: Iterable[Any]) -> bool:
        """Queue packets, all of them or none, without waiting; returns False if the transport is gone."""
        socket = self.sockets.get(sid)
        if socket is None or socket.closed or socket.closing:
            return False
        queue: SendQueue = socket.queue
        for packet in packets:
            queue.put_nowait(packet)
        if queue.exceeds(self.limits):
            self.on_overflow(sid)
        return True

    def take_unpolled(self, sid: str) -> dict[str, Offset]:
        """Discard what a polling client has not fetched; returns, by namespace, what it has if that is not all."""
        socket = self.sockets.get(sid)
        return {} if socket is None or socket.upgraded else socket.queue.discard_all()

    async def flush(self, sid: str) -> None:
        """Wait until the client has read what is queued, 2 seconds at most."""
        if socket := self.sockets.get(sid):
            await self._flush(socket)

    async def close_transport(self, sid: str, *, wait: bool = True) -> None:
        """Run disconnect handlers and close the websocket or answer the poll; `wait` aborts it if it is not read."""
        if socket := self.sockets.get(sid):
            await socket.close(wait=False)
            await socket.queue.put(None)  # ends the writer, which closes the websocket
            if wait:
                await self._flush(socket)
                if not socket.queue.empty():
                    await self.abort(socket)

    async def abort_transport(self, sid: str, *, discard: bool = True) -> bool:
        """Close a transport now; returns whether it was open. A waiting poll gets what is queued without `discard`."""
        socket = self.sockets.get(sid)
        if socket is None or socket.closed or socket.closing:
            return False
        await self.abort(socket, discard=discard or socket.upgraded)
        return True

    async def abort(self, socket: Any, *, discard: bool = True) -> None:
        """Close the transport of a socket now."""
        await socket.close(wait=False, abort=True, reason=self.reason.SERVER_DISCONNECT)
        if discard:
            socket.queue.discard_all()
        await socket.queue.put(None)
        if (websocket := getattr(socket, "websocket", None)) is not None:
            websocket.abort()

    async def _flush(self, socket: Any) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(socket.queue.join(), _FLUSH_SECONDS)


def _abort_unread(transport: Any) -> None:
    """ASGI cannot abort a connection, and uvicorn waits without limit, also at its end, for a client to read."""
    if transport is not None and transport.get_write_buffer_size():
        transport.abort()
