import asyncio
import json
from collections import deque
from contextlib import suppress
from typing import Any, Self

import httpx
from starlette.types import ASGIApp

from src.websockets.testing import Received
from tests.support.waiting import PATIENCE_SECONDS

SEPARATOR = "\x1e"


class PollingClient:
    """The polling transport to an ASGI application, without a network; used like `SocketClient`.

    Attributes:
        opened: Data of the server's CONNECT packet.
        waiting: Received events.
        transport_id: Engine.IO's session id.
        has_ended: Whether the server has ended the connection.
    """

    def __init__(self, app: ASGIApp, auth: dict[str, Any]) -> None:
        self.opened: dict[str, Any] = {}
        self.waiting: deque[Received] = deque()
        self.transport_id = ""
        self.has_ended = self._is_cut = False
        self._http = httpx.AsyncClient(
            transport=httpx.ASGITransport(app),
            base_url="http://testserver/socket.io/",
            params={"EIO": "4", "transport": "polling"},
            timeout=PATIENCE_SECONDS,
        )
        self._auth = auth
        self._ack: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._polling: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self.transport_id = json.loads((await self._http.get("")).text[1:])["sid"]
        self._http.params = self._http.params.set("sid", self.transport_id)
        await self._post(f"40{json.dumps(self._auth)}")
        while not self.opened:
            await self._poll()
        self._polling = asyncio.create_task(self._poll_on())
        return self

    async def emit(self, event: str, *args: Any, times: int = 1) -> None:
        """Send an event, several times in one request."""
        await self._post(*[f"42{json.dumps([event, *args])}"] * times)

    async def call(self, event: str, *args: Any) -> Any:
        """Send an event and return its ack; raises ConnectionError if the server ends the connection instead."""
        self._ack = asyncio.get_running_loop().create_future()
        if self.has_ended:
            raise ConnectionError
        await self._post(f"421{json.dumps([event, *args])}")
        return await self._ack

    async def cut(self) -> None:
        """Poll no more; the server does not notice."""
        self._is_cut = True
        if self._polling is not None:
            self._polling.cancel()  # the server, which runs in this task, swallows it if an event has just arrived
            with suppress(asyncio.CancelledError):
                await self._polling
        await self._http.aclose()

    async def _poll_on(self) -> None:
        while not (self.has_ended or self._is_cut):
            await self._poll()

    async def _poll(self) -> None:
        response = await self._http.get("")
        if response.status_code != httpx.codes.OK:
            self._end()
            return
        for packet in response.text.split(SEPARATOR):
            match packet[:2]:
                case "2":
                    await self._post("3")
                case "1" | "41":
                    self._end()
                case "40":
                    self.opened = json.loads(packet[2:])
                case "42":
                    event, *args = json.loads(packet[2:])
                    self.waiting.append(Received(event, args[0] if len(args) == 1 else tuple(args)))
                case "43" if not self._ack.done():
                    self._ack.set_result(json.loads(packet[packet.index("[") :]))

    async def _post(self, *packets: str) -> None:
        if (await self._http.post("", content=SEPARATOR.join(packets))).status_code != httpx.codes.OK:
            self._end()

    def _end(self) -> None:
        self.has_ended = True
        if not self._ack.done():
            self._ack.set_exception(ConnectionError())
            self._ack.exception()  # retrieved, in case nobody waits for it
