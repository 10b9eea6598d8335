"""The limits of the HTTP protocol, exceeded over raw sockets; no store is needed."""

import asyncio
import gc
import socket
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
import uvicorn
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from src.core.http_errors import FrameworkError
from src.middlewares.http_protocol import HttpProtocol
from tests.support.waiting import PATIENCE_SECONDS, eventually

pytestmark = pytest.mark.unit

HEAD = b"POST /path HTTP/1.1\r\nHost: x\r\n"
REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
LENGTH = HEAD + b"Content-Length: 10000\r\n\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


class Lingering(HttpProtocol):
    linger_seconds = PATIENCE_SECONDS


class Impatient(Lingering):
    silence_seconds = 0.3
    head_seconds = 0.6
    body_bytes_per_second = 1000


class Hasty(Impatient):
    linger_seconds = 0.1


class Patient(Lingering):
    """Waits so long for a byte that only the total counts."""

    silence_seconds = 2 * PATIENCE_SECONDS  # else it ends what the total does not, just in time for the test
    head_seconds = 0.5
    body_bytes_per_second = 100


@dataclass
class Echo:
    """Responds with the size of the body; `requests` has the paths of the requests."""

    requests: list[str] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.requests.append(scope["path"])
        size, more_body = 0, True
        while more_body:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            size, more_body = size + len(message["body"]), message["more_body"]
        body = str(size).encode()
        headers = [(b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


@dataclass
class Server:
    port: int
    echo: Echo
    state: uvicorn.server.ServerState

    async def send(self, *parts: bytes, pause_seconds: float = 0) -> bytes:
        """Send the parts, and return all that is received until the server closes the connection."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        reading = asyncio.create_task(reader.read())
        try:
            for part in parts:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(pause_seconds)
                if reading.done():
                    break
            return await asyncio.wait_for(reading, PATIENCE_SECONDS)
        finally:
            reading.cancel()
            writer.close()


@asynccontextmanager
async def serving(protocol: type[HttpProtocol], app: ASGIApp | None = None) -> AsyncIterator[Server]:
    echo = Echo()
    web = uvicorn.Server(
        uvicorn.Config(
            app or echo, port=0, log_level="critical", lifespan="off", http=protocol, timeout_graceful_shutdown=1
        )
    )
    running = asyncio.create_task(web.serve())
    await eventually(lambda: web.started)
    try:
        yield Server(web.servers[0].sockets[0].getsockname()[1], echo, web.server_state)
    finally:
        web.should_exit = True
        await running


@asynccontextmanager
async def waiting(protocol: type[HttpProtocol] = Lingering) -> AsyncIterator[Server]:
    """A server that never responds, as long as the client sees."""
    stopped = asyncio.Event()

    async def wait(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await stopped.wait()

    async with serving(protocol, wait) as server:
        yield server
        stopped.set()


@asynccontextmanager
async def unread_connection(server: Server) -> AsyncIterator[tuple[socket.socket, HttpProtocol]]:
    """A client that receives only what a test tells it to, and the server's side; little fits in between."""
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", server.port))
        await eventually(lambda: server.state.connections)
        (served,) = server.state.connections
        assert isinstance(served, HttpProtocol)
        served.timeout_keep_alive = 0
        yield client, served


@pytest.fixture(scope="module")
async def server() -> AsyncIterator[Server]:
    async with serving(Lingering) as server:
        yield server


def status(response: bytes) -> int:
    """The status of the last response."""
    head = response[response.rindex(b"HTTP/1.1 ") :]
    return int(head.split()[1])


HUGE = b"x" * (64 * 1024)
HEADS: dict[str, tuple[int, list[bytes]]] = {
    "one header": (431, [HEAD, b"A: ", HUGE, b"\r\n\r\n"]),
    "one header that never ends": (431, [HEAD, b"A: ", *[HUGE] * 20]),
    "a name that never ends": (431, [HEAD, *[HUGE] * 20]),
    "one header in one write": (431, [HEAD + b"A: " + HUGE + b"\r\n\r\n"]),
    "many headers": (431, [HEAD, b"A: b\r\n" * 100, b"\r\n"]),
    "many headers, and no request after them": (431, [HEAD + b"A: b\r\n" * 100 + b"\r\n" + b"x" * 1000]),
    "many headers of a websocket": (
        431,
        [
            HEAD.replace(b"POST", b"GET")
            + b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
            + b"A: b\r\n" * 100
            + b"\r\n"
        ],
    ),
    "many headers that never end": (431, [HEAD, *[b"A: bcdefgh\r\n" * 1000] * 20]),
    "a target": (414, [b"GET /", HUGE, b" HTTP/1.1\r\nHost: x\r\n\r\n"]),
    "a target that never ends": (414, [b"GET /", *[HUGE] * 20]),
    "a query": (414, [b"GET /?", HUGE, b" HTTP/1.1\r\nHost: x\r\n\r\n"]),
    "a trailer that never ends": (431, [CHUNKED + b"0\r\nA: ", *[HUGE] * 20]),
    "trailers that never end": (431, [CHUNKED + b"0\r\n", *[b"A: bcdefgh\r\n" * 1000] * 20]),
    "a chunk extension that never ends": (431, [CHUNKED + b"1;a=", *[HUGE] * 20]),
    "a second request on the connection": (431, [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", HEAD, b"A: ", *[HUGE] * 20]),
}


class TestRow48Heads:
    @pytest.mark.parametrize("name", HEADS)
    async def test_too_large_is_refused(self, server: Server, name: str) -> None:
        expected, parts = HEADS[name]
        loop, failures = asyncio.get_running_loop(), []
        # The loop also reports what the collector finds: futures of other tests. Those name no protocol.
        loop.set_exception_handler(lambda _, context: failures.append(context) if "protocol" in context else None)
        response = await server.send(*parts, pause_seconds=0.01)
        loop.set_exception_handler(None)
        assert (status(response), failures) == (expected, [])
        assert b'"code": %d' % expected in response

    async def test_has_the_name_that_the_application_gives_it(self, server: Server) -> None:
        response = await server.send(*HEADS["a target"][1], pause_seconds=0.01)
        error = FrameworkError(HTTPException(414))
        assert f'"error": "{error.error}"'.encode() in response
        assert f'"message": "{error.message}"'.encode() in response

    async def test_the_application_is_not_called(self, server: Server) -> None:
        server.echo.requests.clear()
        await server.send(HEAD, b"A: b\r\n" * 100, b"\r\n")
        assert server.echo.requests == []

    async def test_what_fits_is_served(self, server: Server) -> None:
        parts = HEAD, b"A: b\r\n" * 90, b"B: " + HUGE[:63_000] + b"\r\nContent-Length: 2\r\nConnection: close\r\n\r\nab"
        assert (await server.send(*parts)).endswith(b"\r\n\r\n2")

    async def test_a_body_of_small_chunks_is_served(self, server: Server) -> None:
        chunks = [b"1\r\nx\r\n" * 10_000] * 10
        response = await server.send(CHUNKED.replace(b"Host", b"Connection: close\r\nHost"), *chunks, b"0\r\n\r\n")
        assert response.endswith(b"\r\n\r\n100000")

    async def test_requests_on_one_connection_are_counted_apart(self, server: Server) -> None:
        request = HEAD + b"Content-Length: 3\r\nA: " + b"x" * 40_000 + b"\r\n\r\nabc"
        response = await server.send(request * 3, request.replace(b"Host", b"Connection: close\r\nHost"))
        assert response.count(b"HTTP/1.1 200 OK") == 4


# What is sent, and what could follow for ever.
SLOW = {
    "part of the request line": (b"GET /pa", b"a"),
    "part of a header": (HEAD + b"A: b", b"b"),
    "no end of the headers": (HEAD + b"A: b\r\n", b"A: b\r\n"),
    "only empty lines": (b"\r\n\r\n", b"\r\n"),
    "no body": (LENGTH, b"a"),
    "part of a body": (LENGTH + b"abc", b"a"),
    "no chunk": (CHUNKED, b"1\r\na\r\n"),
    "part of a chunk": (CHUNKED + b"fff\r\nab", b"a"),
    "no last chunk": (CHUNKED + b"2\r\nab\r\n", b"1\r\na\r\n"),
    "part of the trailers": (CHUNKED + b"0\r\nA: b", b"b"),
}


class TestRow50Bounds:
    def test_are_the_promised_ones(self) -> None:
        """The other tests have their own, in fractions of a second."""
        bounds = HttpProtocol.silence_seconds, HttpProtocol.head_seconds, HttpProtocol.body_bytes_per_second
        assert bounds == (15, 30, 1024)


@pytest.mark.slow
class TestRow50Silence:
    @pytest.mark.parametrize("name", SLOW)
    async def test_ends_a_request_with_408(self, name: str) -> None:
        async with serving(Impatient) as server:
            assert status(await server.send(SLOW[name][0])) == 408

    @pytest.mark.parametrize("name", SLOW)
    async def test_ends_the_second_request_of_a_connection(self, name: str) -> None:
        async with serving(Impatient) as server:
            response = await server.send(LENGTH + b"a" * 10_000, SLOW[name][0], pause_seconds=0.1)
            assert response.startswith(b"HTTP/1.1 200 OK")
            assert status(response) == 408

    async def test_ends_a_connection_without_a_request(self) -> None:
        async with serving(Impatient) as server:
            assert await server.send() == b""

    async def test_leaves_neither_connections_nor_tasks(self) -> None:
        async with serving(Impatient) as server:
            await asyncio.gather(*(server.send(sent) for sent, _ in SLOW.values()))
            await eventually(lambda: not server.state.connections and not server.state.tasks)


@pytest.mark.slow
class TestRow50Trickle:
    @pytest.mark.parametrize("name", SLOW)
    async def test_that_never_ends_is_408(self, name: str) -> None:
        sent, more = SLOW[name]
        async with serving(Patient) as server:
            assert status(await server.send(sent, *[more] * 500, pause_seconds=0.02)) == 408

    async def test_a_body_that_is_fast_enough_is_served(self) -> None:
        head = HEAD + b"Connection: close\r\nContent-Length: 10000\r\n\r\n"
        async with serving(Patient) as server:
            response = await server.send(head, *[b"x" * 1000] * 10, pause_seconds=0.1)
            assert response.endswith(b"\r\n\r\n10000")


@pytest.mark.slow
class TestWaitingForTheServer:
    async def test_does_not_count_as_silence(self) -> None:
        async def slow(scope: Scope, receive: Receive, send: Send) -> None:
            await asyncio.sleep(1)
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send({"type": "http.response.body"})

        async with serving(Impatient, slow) as server:
            assert status(await server.send(b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n")) == 204


@pytest.mark.slow
class TestUnreadResponse:
    @staticmethod
    async def large(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(200):
            await send({"type": "http.response.body", "body": bytes(100_000), "more_body": True})

    async def test_ends_the_connection(self) -> None:
        async with serving(Impatient, self.large) as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1000)
            writer.write(REQUEST)
            await reader.readline()
            await eventually(lambda: not server.state.connections and not server.state.tasks)
            writer.close()

    @pytest.mark.parametrize("last", [b"", HEAD + b"A: b\r\n" * 101 + b"\r\n"], ids=["idle", "refused"])
    async def test_ends_the_connection_although_little_is_left(self, last: bytes) -> None:
        async def small(scope: Scope, receive: Receive, send: Send) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": bytes(60_000)})

        async with serving(Hasty, small) as server, unread_connection(server) as (client, served):
            served.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
            client.sendall(REQUEST)
            await eventually(served.transport.get_write_buffer_size)
            client.sendall(last)
            await eventually(lambda: not server.state.connections)

    async def test_that_is_read_slowly_is_served(self) -> None:
        async with serving(Lingering, self.large) as server, unread_connection(server) as (client, served):
            client.sendall(REQUEST)
            await eventually(lambda: served.flow.write_paused)
            served._check_progress()
            for _ in range(30):  # less than the kernel holds: it takes nothing from the server's own buffer
                client.recv(10_000)
                await asyncio.sleep(0)
            served._check_progress()
            assert not served.transport.is_closing()
            served._check_progress()
            assert served.transport.is_closing()


class TestPipelinedRequests:
    async def test_are_answered(self, server: Server) -> None:
        response = await server.send(REQUEST * 90 + REQUEST.replace(b"x\r\n", b"x\r\nConnection: close\r\n"))
        assert response.count(b"HTTP/1.1 200 ") == 91

    async def test_are_limited_in_number(self) -> None:
        async with waiting() as server:
            assert await server.send(REQUEST * 102) == b""

    async def test_are_limited_in_size(self) -> None:
        async with waiting() as server:
            head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"
            assert await server.send(REQUEST + head + bytes(100_000)) == b""

    async def test_whose_body_stops_get_no_response_in_place_of_another(self) -> None:
        async with waiting(Impatient) as server:
            assert await server.send(REQUEST + LENGTH) == b""


async def test_a_connection_that_became_a_websocket_is_freed_before_the_garbage_collector_runs() -> None:
    async with waiting() as server:
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        await eventually(lambda: server.state.connections)
        protocol = weakref.ref(next(iter(server.state.connections)))
        gc.disable()
        try:
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n")
            writer.write(b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
            await eventually(lambda: protocol() is None)
        finally:
            gc.enable()
            writer.close()
