"""uvicorn's HTTP protocol with limits on heads and on slow clients, for its option `--http`.

Neither uvicorn nor its parser limits the size of a request line or of headers, or waits for the rest of a request for a
limited time only. No middleware can: they are called once the headers are complete.
"""

import asyncio
import fcntl
import json
import sys
import termios
import time
from http import HTTPStatus
from typing import Any, cast

from typing_extensions import override
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from src.utils.http_status import error_name, phrase_of

# Bytes of chunked encoding for each byte of the body: a chunk of one byte takes five more.
_MAX_FRAMING = 8


class HttpProtocol(HttpToolsProtocol):
    """Refuses requests whose head is too large (414, 431) and closes connections of clients that are too slow (408).

    The time in which the server does not read does not count.

    Attributes:
        max_head_bytes: Size of request line and headers; also of the trailers, and of the framing of a chunked body.
        max_headers: Number of headers.
        max_waiting: Number of pipelined requests that may wait for the response to another; one more closes the
            connection, since each takes a hundred times the memory of its bytes.
        silence_seconds: A client has to send something in this time, and to read of a response that waits for it.
        head_seconds: The head has to arrive in this time.
        body_bytes_per_second: How fast a body has to arrive after that.
        linger_seconds: For so long after a refusal, or until the client closes the connection, what it still sends is
            discarded; a reset would discard the response.
    """

    max_head_bytes = 64 * 1024
    max_headers = 100
    max_waiting = 100
    silence_seconds: float = 15
    head_seconds: float = 30
    body_bytes_per_second = 1024
    linger_seconds: float = 2

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._timer: asyncio.TimerHandle | None = None
        self._is_refused = False
        self._read_bytes = self._unread_bytes = 0
        self._begin_message()

    def _begin_message(self) -> None:
        """Start to count anew: when a client connects, and with the first byte of each of its requests."""
        self._is_receiving = self._is_head = True
        self._has_data = False
        self._since = self._last_data = self.loop.time()
        self._wire_bytes = self._body_bytes = 0

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(cast(asyncio.Transport, transport))
        self._check_progress()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    @override
    def data_received(self, data: bytes) -> None:
        if self._is_refused:
            return
        if not self._is_receiving:
            self._begin_message()
        self._has_data = True
        self._last_data = self.loop.time()
        self._read_bytes = len(data)
        self._wire_bytes += len(data)
        super().data_received(data)
        is_too_large = self._wire_bytes - (1 + _MAX_FRAMING) * self._body_bytes > self.max_head_bytes
        is_open = not self._is_refused and not self.transport.is_closing()
        if is_too_large and self._is_receiving and is_open:
            self._refuse_head()

    @override
    def resume_writing(self) -> None:
        self._unread_bytes = 0  # the client has read
        super().resume_writing()

    @override
    def handle_websocket_upgrade(self) -> None:
        if not self._is_refused:
            self._stop_timer()
            super().handle_websocket_upgrade()
            self.parser = None  # type: ignore[assignment]  # it refers to this protocol, which is over

    @override
    def send_400_response(self, msg: str) -> None:
        if not self._is_refused:  # the rest of what was read with a refused head
            super().send_400_response(msg)

    @override
    def on_message_begin(self) -> None:
        if not self._is_receiving:  # it follows another request in the same read, whose size is not counted twice
            self._begin_message()
            self._has_data = True
        super().on_message_begin()

    @override
    def on_headers_complete(self) -> None:
        if self._is_refused:
            return
        if len(self.headers) > self.max_headers or self._head_is_too_large():
            self._refuse_head()
        elif len(self.pipeline) >= self.max_waiting:
            self._refuse(HTTPStatus.TOO_MANY_REQUESTS)
        else:
            self._is_head = False
            super().on_headers_complete()

    @override
    def on_body(self, body: bytes) -> None:
        if not self._is_refused:
            self._body_bytes += len(body)
            super().on_body(body)
            if self.pipeline and len(self.cycle.body) > self.max_head_bytes:  # of a request that waits
                self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)

    @override
    def on_message_complete(self) -> None:
        if not self._is_refused:
            self._is_receiving = False
            super().on_message_complete()

    def _head_is_too_large(self) -> bool:
        """Measured only if what was read is large enough."""
        if max(self._wire_bytes, self._read_bytes) <= self.max_head_bytes:
            return False
        return len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > self.max_head_bytes

    @property
    def _is_responding(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _check_progress(self) -> None:
        """Refuse a request that is overdue, or look again when it will be; each connection has one timer."""
        now, is_closing = self.loop.time(), self.transport.is_closing()
        # Nothing is written in these states, so it only shrinks.
        unread = self._count_unread() if self.flow.write_paused or is_closing else 0
        if unread and unread == self._unread_bytes:  # the client has read nothing since the last time
            self.transport.abort()
            return
        self._unread_bytes = unread
        if self.flow.read_paused or (self._is_head and self._is_responding):  # the client waits for the server
            self._since = self._last_data = now
        due = self._due() if self._is_receiving and not is_closing else now + self.silence_seconds
        if due > now:
            self._timer = self.loop.call_at(due, self._check_progress)
        elif self._has_data:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT)
        else:
            self.transport.close()

    def _count_unread(self) -> int:
        """The bytes that wait for the client in our buffer; on Linux also in the kernel's, which holds megabytes."""
        size = self.transport.get_write_buffer_size()
        if size and sys.platform == "linux":
            descriptor = self.transport.get_extra_info("socket").fileno()
            size += int.from_bytes(fcntl.ioctl(descriptor, termios.TIOCOUTQ, bytes(4)), sys.byteorder)
        return size

    def _due(self) -> float:
        due = self._since + self.head_seconds
        if not self._is_head and self._is_responding:  # else the response is complete, and the body is discarded
            due += self._body_bytes / self.body_bytes_per_second
        return min(due, self._last_data + self.silence_seconds)

    def _refuse_head(self) -> None:
        is_target = len(self.url) > self.max_head_bytes // 2
        self._refuse(HTTPStatus.REQUEST_URI_TOO_LONG if is_target else HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    def _refuse(self, status: HTTPStatus) -> None:
        """Respond with the error envelope, unless another response is on its way, and close the connection."""
        self._is_refused = True
        self._stop_timer()
        self.flow.resume_reading()
        if self._is_responding:
            if self._is_head or self.pipeline or self.cycle.response_started:
                self._close()
                return
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.write(_response(status))
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._timer = self.loop.call_later(self.linger_seconds, self._close)

    def _close(self) -> None:
        """Close the connection, even if the client does not read what is left."""
        self.transport.close()
        self._timer = self.loop.call_later(self.silence_seconds, self.transport.abort)


def _response(status: HTTPStatus) -> bytes:
    body = json.dumps(
        {
            "code": status.value,
            "message": f"{phrase_of(status)}.",
            "ts": int(time.time()),
            "data": None,
            "error": error_name(status),
            "requestId": "",
        }
    )
    head = f"HTTP/1.1 {status.value} {phrase_of(status)}\r\ncontent-type: application/json\r\nconnection: close\r\n"
    return f"{head}content-length: {len(body)}\r\n\r\n{body}".encode()
