"""How handlers are run: in order, inside middleware, and only once."""

import asyncio
from typing import Any

import aiohttp
import pytest

from src.websockets.params import SID
from src.websockets.server import AsyncServer
from tests.support.waiting import eventually
from tests.websockets.conftest import Connect, Host

PATH = "/socket.io/?EIO=4&transport=websocket"


class TestOrder:
    async def test_ordered_events_run_in_the_order_in_which_they_were_sent(
        self, sio: AsyncServer, connect: Connect
    ) -> None:
        seen: list[int] = []

        @sio.on("say", ordered=True)
        async def handler(number: int) -> None:
            await asyncio.sleep(0.02 / (number + 1))
            seen.append(number)

        peer = await connect()
        await asyncio.gather(*(peer.call("say", number) for number in range(10)))
        assert seen == list(range(10))


class TestMiddleware:
    async def test_wraps_every_event(self, sio: AsyncServer, connect: Connect) -> None:
        @sio.middleware
        async def shout(call: Any, proceed: Any) -> Any:
            return f"{call.event}: {(await proceed()).upper()}"

        @sio.on("say")
        async def handler(text: str) -> str:
            return text

        assert await (await connect()).call("say", "hi") == "say: HI"


class TestTypeError:
    @pytest.mark.parametrize("event", ["connect", "disconnect"])
    async def test_of_a_handler_does_not_run_it_again(self, sio: AsyncServer, host: Host, event: str) -> None:
        calls: list[str] = []

        @sio.on(event)
        async def handler(sid: SID) -> None:
            calls.append(sid)
            raise TypeError

        async with aiohttp.ClientSession() as http, http.ws_connect(f"{host.url}{PATH}") as websocket:
            await websocket.send_str("40")
            assert (await websocket.receive_str()).startswith("0{")
            assert (await websocket.receive_str()).startswith(("40{", "44{"))
        await eventually(lambda: not sio.eio.sockets)
        assert len(calls) == 1
