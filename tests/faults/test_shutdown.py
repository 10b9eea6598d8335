"""How processes end: loops that can be cancelled at whatever moment, and an API that drains first."""

import asyncio
import os
import random
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from typing_extensions import override
from uvicorn import Config, Server

from src.core.realtime.event_bus import EventBus
from src.core.shutdown.draining import draining, is_draining
from src.core.shutdown.listeners import running_server, stop_accepting
from src.websockets.engine.subscriber import Subscriber
from tests.support.process import Process
from tests.support.proxy import proxied
from tests.support.waiting import eventually

pytestmark = pytest.mark.process


class TestTheSubscriberOfEvents:
    @pytest.mark.parametrize("fault", ["hang", "delay", "refuse"])
    async def test_ends_once_it_is_cancelled(self, fault: str) -> None:
        """redis-py swallows a few percent of the cancellations that arrive while it connects."""
        chance = random.Random(fault)  # noqa: S311 - moments
        async with proxied(os.environ["REDIS_DATABASE_URL"]) as (url, proxy):
            getattr(proxy, fault)()

            async def receive() -> None:
                async for _ in Subscriber(EventBus(url), lambda: None).messages():
                    pass

            async def cancelled() -> asyncio.Task[None]:
                task = asyncio.create_task(receive())
                await asyncio.sleep(chance.choice([1, chance.uniform(0, 1)]) + chance.uniform(-0.002, 0.004))
                task.cancel()
                await asyncio.wait([task], timeout=5)
                return task

            tasks = await asyncio.gather(*(cancelled() for _ in range(200)))
        running = [task for task in tasks if not task.done()]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        assert running == []


class TestDraining:
    @pytest.mark.parametrize("signals", [1, 2], ids=["after a while", "at a second signal"])
    async def test_reaches_the_earlier_handler(self, signals: int) -> None:
        received: list[int] = []

        async def leave() -> None:
            received.append(0)

        earlier = signal.signal(signal.SIGTERM, lambda number, _: received.append(number))
        try:
            with draining(60 if signals == 2 else 0.2, leave):
                signal.raise_signal(signal.SIGTERM)
                assert (is_draining(), received) == (True, [])
                if signals == 2:
                    signal.raise_signal(signal.SIGTERM)
                await eventually(lambda: received == ([signal.SIGTERM] if signals == 2 else [0, signal.SIGTERM]))
            assert not is_draining()
        finally:
            signal.signal(signal.SIGTERM, earlier)

    async def test_is_not_ready_and_serves(self, tmp_path: Path) -> None:
        command = [sys.executable, "-m", "uvicorn", "src.main:app", "--port", "0"]
        with Process(command, tmp_path / "output", os.environ | {"DRAIN_SECONDS": "600"}) as api:
            await asyncio.to_thread(api.wait_for, "running on")
            url = re.findall(r"running on (http://[\d.:]+)", api.output)[0]
            async with httpx.AsyncClient(base_url=url, timeout=30) as client:
                assert (await client.get("/readyz")).json()["status"] == "ok"
                api.psutil.terminate()
                await eventually(lambda: '"draining"' in api.output)
                ready, other = await client.get("/readyz"), await client.get("/api/v1/auth/keys/public")
            assert other.headers["Connection"] == "close"
            assert (ready.status_code, ready.json()["status"], "Retry-After" in ready.headers) == (
                503,
                "draining",
                True,
            )
            assert other.status_code == 200
            assert await asyncio.to_thread(api.stop) in (0, -signal.SIGTERM)


REQUEST = b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


async def respond(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body"})


class LastMomentServer(Server):
    """Has a client send a request in the last moment before it closes its socket."""

    last: socket.socket | None = None

    @override
    async def on_tick(self, counter: int) -> bool:
        ends = await super().on_tick(counter)
        if ends and is_draining():
            self.last = send_request(self)
        return ends


def send_request(server: Server) -> socket.socket | None:
    """The connection that a request was sent on; None if nothing was sent, so that another process may get it."""
    try:
        connection = socket.create_connection(server.servers[0].sockets[0].getsockname(), timeout=0.3)
    except TimeoutError:  # the kernel would try again, and be refused
        return None
    connection.sendall(REQUEST)
    return connection


async def response_to(connection: socket.socket) -> bytes:
    with connection:
        connection.settimeout(20)
        return await asyncio.to_thread(connection.recv, 1000)


@pytest.fixture
async def server() -> AsyncIterator[LastMomentServer]:
    """A server in this process, which ends with SIGTERM."""
    server = LastMomentServer(Config(respond, port=0, lifespan="off", log_config=None))
    earlier = signal.signal(signal.SIGTERM, lambda *_: None)  # uvicorn raises the signal again at its end
    serving = asyncio.create_task(server.serve())
    try:
        await eventually(lambda: server.started)
        yield server
        server.should_exit = True
        await serving
    finally:
        signal.signal(signal.SIGTERM, earlier)


if sys.platform == "linux":

    class TestConnectionsThatAreNotAccepted:
        """When a socket closes, the kernel resets them, and no proxy may repeat their requests."""

        async def test_none_is_lost_with_the_socket(self, server: LastMomentServer) -> None:
            assert running_server() is server
            with draining(0.01, partial(stop_accepting, server)):
                signal.raise_signal(signal.SIGTERM)
                await eventually(lambda: not server.servers[0].is_serving())
            assert server.last is None or await response_to(server.last)

        async def test_earlier_ones_are_served_and_later_ones_wait(self, server: Server) -> None:
            earlier = send_request(server)
            assert earlier is not None
            await stop_accepting(server)
            assert send_request(server) is None
            assert (await response_to(earlier)).startswith(b"HTTP/1.1 204")

        async def test_other_processes_accept_them_on_a_socket_that_they_share(self, server: Server) -> None:
            """As with `uvicorn --workers`: a socket that drops connections would do so for all of them."""
            with socket.socket(fileno=os.dup(server.servers[0].sockets[0].fileno())) as other:
                address = other.getsockname()
                process = await asyncio.create_subprocess_exec("sleep", "60", pass_fds=[other.fileno()])
                await stop_accepting(server)
                process.kill()
                await process.wait()
                with socket.create_connection(address, timeout=20), other.accept()[0]:
                    pass  # the other process would have it
