"""What is limited on the wire, in a process that is started with the options of the image."""

import asyncio
from urllib.parse import urlsplit

import aiohttp
import httpx
import pytest

from tests.support.served import Served
from tests.support.waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.process

SOCKET = "/socket.io/?EIO=4&transport=websocket"
LARGEST = 256 * 1024


async def exchange(served: Served, *parts: bytes) -> bytes:
    """Send bytes, and return all that is received until the server closes the connection."""
    address = urlsplit(str(served.client.base_url))
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    for part in parts:
        writer.write(part)
        if part is UPGRADE:
            await reader.readuntil(b"\r\n\r\n")
    response = await asyncio.wait_for(reader.read(), PATIENCE_SECONDS)
    writer.close()
    return response


class TestRow48Heads:
    @pytest.mark.parametrize("path", ["/livez", "/api/v1/auth/login", "/socket.io/?EIO=4&transport=polling"])
    async def test_large_headers_are_refused(self, served: Served, path: str) -> None:
        head = f"GET {path} HTTP/1.1\r\nHost: x\r\nA: ".encode()
        assert (await exchange(served, head, b"x" * 100_000)).startswith(b"HTTP/1.1 431 ")

    async def test_a_large_target_is_refused(self, served: Served) -> None:
        assert (await exchange(served, b"GET /", b"x" * 100_000)).startswith(b"HTTP/1.1 414 ")

    async def test_the_process_serves_others(self, served: Served, served_client: httpx.AsyncClient) -> None:
        await exchange(served, b"GET /", b"x" * 100_000)
        assert (await served_client.get("/livez")).status_code == 200


class TestRow49Websockets:
    async def test_are_not_compressed(self, served: Served) -> None:
        url = f"{served.client.base_url}{SOCKET}"
        async with aiohttp.ClientSession() as http, http.ws_connect(url, compress=15) as websocket:
            assert not websocket.compress

    @pytest.mark.parametrize("fragments", [1, 10])
    async def test_a_message_that_is_too_large_closes_with_1009(self, served: Served, fragments: int) -> None:
        """As soon as the length of a frame says so."""
        size = LARGEST // fragments + 1
        frames = [header(0x0 if number else 0x1, size) + b"x" * size for number in range(fragments)]
        frames[-1] = frames[-1][:-size]
        assert (1009).to_bytes(2, "big") in await exchange(served, UPGRADE, *frames)


UPGRADE = (
    f"GET {SOCKET} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
).encode()


def header(opcode: int, size: int) -> bytes:
    """The header of a frame that does not end its message, masked by zeros."""
    return bytes([opcode, 0x80 | 127]) + size.to_bytes(8, "big") + bytes(4)
