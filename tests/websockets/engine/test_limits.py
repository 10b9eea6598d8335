"""Each limit of `Limits`, exceeded by a client."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Annotated

import aiohttp
import pytest
from fastapi import FastAPI

from src.core.stores.errors import as_unavailable
from src.websockets.limits import Limits
from src.websockets.params import Depends
from src.websockets.server import AsyncServer
from tests.support.waiting import PATIENCE_SECONDS, eventually
from tests.websockets.conftest import Connect, Host

PATH = "/socket.io/?EIO=4&transport=websocket"
LIMITS = Limits(
    events_per_second=1,
    burst=20,
    running=4,
    violations=5,
    queued_packets=50,
    attachments=2,
    payload_bytes=4096,
    connect_seconds=0.2,
    unauthenticated_connections=3,
    unauthenticated_per_address=2,
    drain_seconds=0.2,
)


@pytest.fixture
def limits() -> Limits:
    return LIMITS


def address(name: str) -> dict[str, str]:
    """The header by which a proxy tells the address of a client."""
    return {"X-Forwarded-For": f"203.0.113.{ord(name)}"}


async def closed(websocket: aiohttp.ClientWebSocketResponse) -> bool:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            if (await websocket.receive()).type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED):
                return True


class TestFlood:
    async def test_events_beyond_the_burst_are_rejected(self, sio: AsyncServer, connect: Connect) -> None:
        @sio.on("ping")
        async def handler() -> str:
            return "pong"

        peer = await connect()
        acks = [await peer.call("ping") for _ in range(20)]
        assert acks.count("pong") == 19  # CONNECT took one
        assert acks[-1]["code"] == 1013

    async def test_events_run_a_few_at_a_time_and_a_client_that_continues_is_dropped(
        self, sio: AsyncServer, host: Host
    ) -> None:
        running = 0
        go_on = asyncio.Event()

        @sio.on("slow")
        async def handler() -> None:
            nonlocal running
            running += 1
            await go_on.wait()

        async with aiohttp.ClientSession() as http, http.ws_connect(f"{host.url}{PATH}") as websocket:
            await websocket.send_str("40")
            for _ in range(8):
                await websocket.send_str('42["slow"]')
            await eventually(lambda: running >= 4)
            for _ in range(192):
                await websocket.send_str('42["slow"]')
            assert await closed(websocket)
        assert running == 4
        go_on.set()

    async def test_leaves_few_tasks(self, host: Host, app: FastAPI) -> None:
        server = AsyncServer()
        host.app = server.asgi(app)

        @server.on("slow")
        async def handler() -> None:
            await asyncio.sleep(0.2)

        before = most = len(asyncio.all_tasks())
        async with aiohttp.ClientSession() as http, http.ws_connect(f"{host.url}{PATH}") as websocket:
            await websocket.send_str("40")
            for _ in range(60):
                await asyncio.gather(*(websocket.send_str('42["slow"]') for _ in range(50)), return_exceptions=True)
                most = max(most, len(asyncio.all_tasks()))
            assert await closed(websocket)
        assert most - before <= 100
        await server.shutdown()

    async def test_leaves_no_more_tasks_when_the_client_reconnects(self, sio: AsyncServer, host: Host) -> None:
        @sio.on("slow")
        async def handler() -> None:
            await asyncio.sleep(60)

        def running() -> int:
            return sum("_handle_event_internal" in str(task.get_coro()) for task in asyncio.all_tasks())

        for _ in range(5):
            async with aiohttp.ClientSession() as http, http.ws_connect(f"{host.url}{PATH}") as websocket:
                await websocket.send_str("40")
                await asyncio.gather(*(websocket.send_str('42["slow"]') for _ in range(100)), return_exceptions=True)
                assert await closed(websocket)
            assert running() <= LIMITS.running
        await eventually(lambda: not running())

    async def test_a_disconnect_leaves_no_ping_task(self, sio: AsyncServer, connect: Connect) -> None:
        before = asyncio.all_tasks()
        peer = await connect()
        await peer.client.disconnect()
        while sio.eio.sockets:  # noqa: ASYNC110 - nobody is told
            await asyncio.sleep(0.01)
        await asyncio.sleep(0)
        assert not [task for task in asyncio.all_tasks() - before if "_send_ping" in repr(task)]

    async def test_a_flood_of_connects_is_dropped(self, sio: AsyncServer, host: Host) -> None:
        async with aiohttp.ClientSession() as http, http.ws_connect(f"{host.url}{PATH}") as websocket:
            for number in range(40):
                await websocket.send_str(f"40/{number},")
            assert await closed(websocket)


class TestUnauthenticated:
    async def test_a_client_that_does_not_connect_in_time_is_closed(self, sio: AsyncServer, host: Host) -> None:
        async with aiohttp.ClientSession() as http, http.ws_connect(f"{host.url}{PATH}") as websocket:
            assert await closed(websocket)

    async def test_a_client_that_disconnected_does_not_count(self, sio: AsyncServer, connect: Connect) -> None:
        for _ in range(LIMITS.unauthenticated_connections + 1):
            peer = await connect()
            await peer.client.disconnect()
        assert (await connect()).client.connected


class TestRow51Share:
    @pytest.mark.parametrize("opened", [["a", "a", "a"], ["a", "b", "c", "d"], ["a", "b", "a", "a"]])
    async def test_one_too_many_closes_the_oldest(self, host: Host, app: FastAPI, opened: list[str]) -> None:
        """Of its address, or else of all: three at most, two of one address."""
        host.app = AsyncServer(limits=replace(LIMITS, connect_seconds=PATIENCE_SECONDS)).asgi(app)
        async with aiohttp.ClientSession() as http, AsyncExitStack() as stack:
            first, *others = [
                await stack.enter_async_context(http.ws_connect(f"{host.url}{PATH}", headers=address(name)))
                for name in opened
            ]
            assert await closed(first)
            for websocket in others:
                assert (await websocket.receive_str()).startswith("0")
                await websocket.send_str("40")
                assert (await websocket.receive_str()).startswith("40")


class TestProtocol:
    @pytest.mark.parametrize(
        "packet", ["42", '42["disconnect"]', '42["connect"]', "42[{}]", "4", "49", "4" + "[" * 3000, "9"]
    )
    async def test_a_client_that_sends_an_invalid_packet_is_dropped(
        self, sio: AsyncServer, host: Host, packet: str
    ) -> None:
        async with aiohttp.ClientSession() as http, http.ws_connect(f"{host.url}{PATH}") as websocket:
            await websocket.send_str("40")
            await websocket.send_str(packet)
            assert await closed(websocket)
        assert not host.failures

    async def test_a_client_that_nests_too_deep_is_dropped(self, host: Host, app: FastAPI) -> None:
        host.app = AsyncServer().asgi(app)
        async with aiohttp.ClientSession() as http, http.ws_connect(f"{host.url}{PATH}") as websocket:
            await websocket.send_str("4" + "[" * 200_000)
            assert await closed(websocket)
        assert not host.failures

    async def test_too_many_attachments_drop_the_client_before_they_arrive(self, sio: AsyncServer, host: Host) -> None:
        async with aiohttp.ClientSession() as http, http.ws_connect(f"{host.url}{PATH}") as websocket:
            await websocket.send_str("40")
            await websocket.send_str('453-["x"]')
            assert await closed(websocket)

    async def test_a_packet_that_is_too_large_drops_the_client(self, sio: AsyncServer, host: Host) -> None:
        async with aiohttp.ClientSession() as http, http.ws_connect(f"{host.url}{PATH}") as websocket:
            await websocket.send_str("40")
            await websocket.send_str('42["x","' + "x" * 5000 + '"]')
            assert await closed(websocket)


class TestTimeOfAnEvent:
    @pytest.fixture
    @classmethod
    def limits(cls) -> Limits:
        return replace(LIMITS, event_seconds=0.3)

    async def test_ends_what_it_waits_for(self, sio: AsyncServer, connect: Connect) -> None:
        sio.translate_error = as_unavailable
        cancelled: list[int] = []

        async def resource() -> AsyncIterator[None]:
            try:
                yield
            except asyncio.CancelledError:
                cancelled.append(0)
                raise

        @sio.on("stuck", ordered=True)
        async def handler(number: int, _: Annotated[None, Depends(resource)]) -> None:
            await asyncio.sleep(3600)

        peer = await connect()
        acks = await asyncio.gather(*(peer.call("stuck", number) for number in range(3)))
        assert [ack["code"] for ack in acks] == [4503] * 3  # the order of the client is one of the waits
        assert len(cancelled) == 1

    async def test_ends_a_connect(self, sio: AsyncServer, host: Host) -> None:
        sio.translate_error = as_unavailable

        @sio.on("connect")
        async def handler() -> None:
            await asyncio.sleep(3600)

        async with aiohttp.ClientSession() as http, http.ws_connect(f"{host.url}{PATH}") as websocket:
            await websocket.receive()
            await websocket.send_str("40")
            assert '"code":4503' in (await websocket.receive()).data
