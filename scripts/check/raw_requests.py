"""Raw HTTP requests that no client sends: a generator, and what a server answers to them."""

import asyncio
import random
import re
import time
from collections import Counter
from dataclasses import dataclass, field

METHODS = [
    b"GET",
    b"POST",
    b"PUT",
    b"DELETE",
    b"OPTIONS",
    b"HEAD",
    b"TRACE",
    b"CONNECT",
    b"PRI",
    b"get",
    b"",
    b"G" * 500,
]
TARGETS = [
    b"/livez",
    b"/api/v1/auth/login",
    b"/api/v1/notices",
    b"/socket.io/?EIO=4&transport=polling",
    b"/socket.io/?EIO=4&transport=websocket",
    b"/socket.io/?EIO=4&transport=polling&sid=x",
    b"*",
    b"//",
    b"/../../etc/passwd",
    b"/%00",
    b"/%",
    b"/%zz?%zz=%",
    b"/\xff\xfe",
    b"http://other.example/livez",
    b"other.example:443",
    b"/a b",
    b"/?" + b"a=1&" * 3000,
    b"/" + b"x" * 70_000,
    b"",
]
VERSIONS = [b"HTTP/1.1"] * 6 + [b"HTTP/1.0", b"HTTP/0.9", b"HTTP/2.0", b"HTTP/9.9", b"http/1.1", b"", b"HTTP/1.1 x"]
HEADERS = [
    b"Host: x",
    b"Host: y",
    b"Content-Length: 5",
    b"Content-Length: 6",
    b"Content-Length: -1",
    b"Content-Length: 99999999999999999999",
    b"Content-Length: 0x10",
    b"Content-Length: 300000",
    b"Transfer-Encoding: chunked",
    b"Transfer-Encoding: gzip, chunked",
    b"Transfer-Encoding: chunked, identity",
    b"Transfer-Encoding : chunked",
    b"transfer-encoding: \x0bchunked",
    b"Content-Type: application/json",
    b"Content-Type: multipart/form-data; boundary=",
    b"Content-Type: application/x-www-form-urlencoded; charset=utf-7",
    b"Expect: 100-continue",
    b"Expect: something",
    b"Connection: close",
    b"Connection: keep-alive, Upgrade",
    b"Upgrade: websocket",
    b"Upgrade: h2c",
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    b"Sec-WebSocket-Key: short",
    b"Sec-WebSocket-Version: 13",
    b"Sec-WebSocket-Version: 99",
    b"Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=99",
    b"Authorization: Bearer \xff\xff",
    b"Authorization: Basic",
    b"Cookie: " + b"a=b; " * 2000,
    b"X-Forwarded-For: 1.2.3.4, not an address",
    b"X-Forwarded-Proto: javascript",
    b"X-Request-ID: \x1b[31m",
    b"User-Agent: \x80\x81",
    b"Range: bytes=9-1",
    b"Origin: null",
    b'If-Match: "',
    b"A: b\r\n c: folded",
    b"A: b\nB: c",
    b"A: \x00",
    b"no colon",
    b": no name",
    b"N" * 2000 + b": x",
    b"X: " + b"x" * 70_000,
]
BODIES = [
    b"",
    b"{}",
    b"12345",
    b"5\r\nhello\r\n0\r\n\r\n",
    b"5\r\nhel",
    b"-5\r\nhello\r\n0\r\n\r\n",
    b"FFFFFFFFFFFFFFFFF\r\nhello\r\n",
    b'5;a="' + b"x" * 2000 + b'"\r\nhello\r\n0\r\nA: b\r\nContent-Length: 9\r\n\r\n',
    b"5\nhello\n0\n\n",
    b"zz\r\nhello\r\n",
    b"\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00x",
    b"\x89\xfe\x00\xff" + b"\x00" * 300,
    b"\x88\x80\x00\x00\x00\x00",
    b"\xc1\x82\x00\x00\x00\x00ab",
    b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n" * 20,
]


@dataclass
class Outcome:
    """What the server did.

    Attributes:
        statuses: The number of responses by status; 0 is a connection that ended without one.
        longest_seconds: From the end of a request to the end of its connection.
        stuck: Requests whose connection was still open after 40 seconds.
    """

    statuses: Counter[int] = field(default_factory=Counter)
    longest_seconds: float = 0
    stuck: list[bytes] = field(default_factory=list)


def generate(source: random.Random) -> bytes:
    """Generate a request."""
    lines = [b" ".join([source.choice(METHODS[:4] * 5 + METHODS), source.choice(TARGETS), source.choice(VERSIONS)])]
    lines += source.choices(HEADERS[:-3], k=source.randrange(8))
    if not source.randrange(20):
        lines += source.choices(HEADERS, k=source.choice([1, 120]))
    request = b"\r\n".join(lines) + b"\r\n\r\n" + source.choice(BODIES)
    if not source.randrange(5):
        position = source.randrange(len(request) + 1)
        request = request[:position] + source.randbytes(source.randrange(4)) + request[position + 1 :]
    return request if source.randrange(5) else request[: source.randrange(len(request) + 1)]


async def send(port: int, request: bytes, outcome: Outcome, *, patient: bool) -> None:
    """Send a request and note what comes back, until the server closes the connection; or is silent for a second."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    response = b""
    started = time.perf_counter()
    try:
        writer.write(request)
        while part := await asyncio.wait_for(reader.read(65_536), 40 if patient else 1):
            response += part
    except TimeoutError:
        if patient:
            outcome.stuck.append(request[:200])
    except ConnectionError:  # a reset, with or without a response before it
        pass
    finally:
        writer.close()
    outcome.longest_seconds = max(outcome.longest_seconds, time.perf_counter() - started)
    outcome.statuses.update([int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3})", response)] or [0])


async def attack(port: int, count: int, seed: int) -> Outcome:
    """Send generated requests, 100 at once; every tenth waits for the server to end the connection."""
    source, outcome = random.Random(seed), Outcome()  # noqa: S311 - reproducible, not secret
    requests = [(generate(source), source.randrange(10) == 0) for _ in range(count)]

    async def work() -> None:
        while requests:
            request, patient = requests.pop()
            await send(port, request, outcome, patient=patient)

    await asyncio.gather(*(work() for _ in range(100)))
    return outcome
