"""Clients that poll: the limits are those of websocket clients."""

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import aiohttp
import httpx
import pytest
from starlette.types import Receive, Scope, Send

from src.websockets.limits import Limits
from src.websockets.server import AsyncServer
from tests.support.waiting import PATIENCE_SECONDS, eventually
from tests.websockets.conftest import Host

SEPARATOR = "\x1e"


class Poller:
    """The polling transport by hand."""

    def __init__(self, http: httpx.AsyncClient, url: str) -> None:
        self._http = http
        self.url = url

    async def send(self, *packets: str) -> httpx.Response:
        return await self._http.post(self.url, content=SEPARATOR.join(packets))

    async def poll(self) -> httpx.Response:
        return await self._http.get(self.url)

    async def receive(self, count: int) -> list[str]:
        """Poll until `count` packets have arrived."""
        packets: list[str] = []
        while len(packets) < count:
            packets += (await self.poll()).text.split(SEPARATOR)
        return packets


@pytest.fixture
def limits() -> Limits:
    return Limits(events_per_second=1, burst=50, violations=10)


@pytest.fixture
def sio(sio: AsyncServer) -> AsyncServer:
    @sio.on("ping")
    async def ping() -> str:
        return "pong"

    return sio


@pytest.fixture
async def poller(host: Host, sio: AsyncServer) -> AsyncIterator[Poller]:
    async with httpx.AsyncClient(base_url=host.url, timeout=PATIENCE_SECONDS) as http:
        handshake = await http.get("/socket.io/?EIO=4&transport=polling")
        poller = Poller(http, f"/socket.io/?EIO=4&transport=polling&sid={handshake.text.split(chr(34))[3]}")
        await poller.send("40")
        await poller.poll()
        yield poller
        await sio.shutdown()


class TestBurst:
    async def test_every_event_in_one_request_is_acknowledged(self, poller: Poller) -> None:
        assert (await poller.send(*(f'42{number}["ping"]' for number in range(40)))).status_code == 200
        assert sorted(await poller.receive(40)) == sorted(f'43{number}["pong"]' for number in range(40))

    async def test_events_beyond_it_are_rejected_and_end_the_connection(self, poller: Poller, host: Host) -> None:
        app, arrived = host.app, asyncio.Event()

        async def watch(scope: Scope, receive: Receive, send: Send) -> None:
            arrived.set()
            await app(scope, receive, send)

        host.app = watch
        polling = asyncio.create_task(poller.poll())
        await arrived.wait()
        await poller.send(*(f'42{number}["ping"]' for number in range(100)))
        packets = (await polling).text.split(SEPARATOR)
        assert sum('"code":1013' in packet for packet in packets) == 10
        assert (await poller.poll()).status_code == 400


class TestInvalidRequest:
    @pytest.mark.parametrize("content", ["9", "4" + "[" * 3000, SEPARATOR.join(["2"] * 10_000), "42[{}]"])
    async def test_ends_the_connection(self, poller: Poller, content: str) -> None:
        await poller.send(content)
        assert (await poller.poll()).status_code == 400


class TestRow52TooLarge:
    async def test_is_413_and_ends_the_session(self, poller: Poller) -> None:
        assert (await poller.send("42" + "x" * Limits().payload_bytes)).status_code == 413
        assert (await poller.poll()).status_code == 400

    async def test_of_unknown_length_is_411_and_ends_the_session(self, poller: Poller, host: Host) -> None:
        async def content() -> AsyncIterator[bytes]:
            yield b"2"

        async with httpx.AsyncClient(base_url=host.url, timeout=PATIENCE_SECONDS) as http:
            assert (await http.post(poller.url, content=content())).status_code == 411
        assert (await poller.poll()).status_code == 400

    async def test_is_answered_before_it_is_sent(self, poller: Poller, host: Host) -> None:
        address = urlsplit(host.url)
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        writer.write(f"POST {poller.url} HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\n\r\n".encode())
        assert (await asyncio.wait_for(reader.readline(), PATIENCE_SECONDS)).startswith(b"HTTP/1.1 413 ")
        writer.close()

    async def test_ends_a_poll_that_waits(self, poller: Poller) -> None:
        polling = asyncio.create_task(poller.poll())
        await asyncio.sleep(0.05)
        await poller.send("42" + "x" * Limits().payload_bytes)
        await asyncio.wait_for(polling, PATIENCE_SECONDS)


class TestClosedSession:
    """Whatever reaches it is refused, and nothing raises."""

    @pytest.fixture
    async def closed(self, poller: Poller, sio: AsyncServer) -> Poller:
        (socket,) = sio.eio.sockets.values()
        await socket.close(wait=False)
        return poller

    async def test_a_poll_is_refused(self, closed: Poller, host: Host) -> None:
        assert (await closed.poll()).status_code == 400
        assert not host.failures

    async def test_a_post_is_refused(self, closed: Poller, host: Host) -> None:
        assert (await closed.send('42["ping"]')).status_code == 400
        assert not host.failures

    async def test_a_post_at_the_same_moment_is_refused(self, poller: Poller, sio: AsyncServer, host: Host) -> None:
        (socket,) = sio.eio.sockets.values()
        async with httpx.AsyncClient(transport=httpx.ASGITransport(host.app), base_url=host.url) as http:
            await socket.close(wait=False, abort=True)
            assert (await Poller(http, poller.url).send('42["ping"]')).status_code == 400

    async def test_an_upgrade_is_refused(self, closed: Poller, host: Host) -> None:
        async with aiohttp.ClientSession() as http:
            with pytest.raises(aiohttp.WSServerHandshakeError):
                await http.ws_connect(host.url + closed.url.replace("polling", "websocket"))
        assert not host.failures

    @pytest.mark.parametrize("packets", [["1", "5"], ["1", "9"], ["41", "1", "2"]])
    async def test_packets_after_the_end_are_refused(self, poller: Poller, host: Host, packets: list[str]) -> None:
        assert (await poller.send(*packets)).status_code == 400
        assert (await poller.send("3")).status_code == 400
        assert not host.failures

    async def test_a_poll_that_waits_while_it_closes_ends(self, poller: Poller, host: Host, sio: AsyncServer) -> None:
        polling = asyncio.create_task(poller.poll())
        await asyncio.sleep(0.05)
        answers = await asyncio.gather(polling, poller.send("1", "5"), poller.send("1", "5"), poller.poll())
        assert {answer.status_code for answer in answers} <= {200, 400}
        assert not host.failures
        assert not sio.eio.sockets


class TestUpgrade:
    @pytest.mark.parametrize("probe", ["x", "", "2probe2", "4" + "x" * 300_000])
    async def test_that_fails_leaves_the_client_polling(
        self, poller: Poller, host: Host, sio: AsyncServer, probe: str
    ) -> None:
        async with aiohttp.ClientSession() as http:
            websocket = await http.ws_connect(host.url + poller.url.replace("polling", "websocket"))
            await websocket.send_str(probe)
            assert (await websocket.receive()).type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED)
        await poller.send('421["ping"]')
        assert await poller.receive(1) == ['431["pong"]']
        assert not host.failures

    async def test_an_invalid_packet_after_it_ends_the_connection(
        self, poller: Poller, host: Host, sio: AsyncServer
    ) -> None:
        async with aiohttp.ClientSession() as http:
            websocket = await http.ws_connect(host.url + poller.url.replace("polling", "websocket"))
            await websocket.send_str("2probe")
            assert await websocket.receive_str() == "3probe"
            await websocket.send_str("5")
            await websocket.send_str("x")
            while (await websocket.receive()).type not in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED):
                pass
        await eventually(lambda: not sio.eio.sockets)
        assert not host.failures
