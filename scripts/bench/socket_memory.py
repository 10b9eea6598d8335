"""Memory of a server with session recovery: 20,000 connects and disconnects, then 2,000 idle clients.

python -m scripts.bench.socket_memory [--connects 20000] [--idle 2000]
"""

import argparse
import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from fastapi import FastAPI

from scripts.bench.servers import Server, serve
from scripts.local.applications import WEB_LIMITS
from scripts.local.stores import embedded_stores
from src.core import fast_start
from src.core.realtime.event_bus import EventBus, ReplaySettings
from src.websockets.engine.overrides import RedisManager
from src.websockets.limits import Limits
from src.websockets.params import SID
from src.websockets.params import Server as ServerParam
from src.websockets.recovery import SessionRecovery
from src.websockets.server import AsyncServer

AT_ONCE = 50
STEP = 2000
MAXIMUM_GROWTH_MIB = 2
MAXIMUM_KIB = 40


def create() -> Any:
    """The application to measure."""
    bus = EventBus(os.environ["REDIS_DATABASE_URL"], ReplaySettings(seconds=120))
    server = AsyncServer(
        limits=Limits(unauthenticated_per_address=1000), recovery=SessionRecovery(bus), client_manager=RedisManager(bus)
    )

    @server.on("join")
    async def join(room: str, sid: SID, server: ServerParam) -> None:
        await server.enter_room(sid, room)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await server.shutdown()

    app = FastAPI(lifespan=lifespan)

    @app.get("/livez")
    async def livez() -> None: ...

    fast_start.finish()  # as in the product, whose collector runs less often
    return server.asgi(app)


async def connect(http: aiohttp.ClientSession, port: int) -> aiohttp.ClientWebSocketResponse:
    """Connect a client that tracks offsets, and enter a room."""
    socket = await http.ws_connect(f"ws://127.0.0.1:{port}/socket.io/?EIO=4&transport=websocket")
    await socket.receive_str()
    await socket.send_str('40{"recover":true}')
    await socket.receive_str()
    await socket.send_str('420["join","lobby"]')
    await socket.receive_str()
    return socket


async def come_and_go(port: int, count: int) -> None:
    """Connect and disconnect; every other client without saying so."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:

        async def visit(number: int) -> None:
            socket = await connect(http, port)
            if number % 2:
                await socket.send_str("41")
            await socket.close()

        for start in range(0, count, AT_ONCE):
            await asyncio.gather(*(visit(number) for number in range(start, start + AT_ONCE)))


async def idle_kib(server: Server, count: int) -> float:
    """Memory for each of `count` clients that are connected and do nothing."""
    before = server.pss_mebibytes
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)))
        for start in range(0, count, AT_ONCE):
            here = min(AT_ONCE, count - start)
            for socket in await asyncio.gather(*(connect(http, server.port) for _ in range(here))):
                stack.push_async_callback(socket.close)
        return (server.pss_mebibytes - before) * 1024 / count


def main() -> None:
    """Print the memory, and fail if it is too much."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connects", type=int, default=20_000)
    parser.add_argument("--idle", type=int, default=2000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        with embedded_stores(Path(directory) / "stores") as variables:
            environment = {**os.environ, **variables}
            factory, limits = "scripts.bench.socket_memory:create", ("--factory", *WEB_LIMITS)
            with serve(factory, "/livez", environment, options=limits) as server:
                used = []
                for done in range(STEP, options.connects + 1, STEP):
                    asyncio.run(come_and_go(server.port, STEP))
                    used.append(server.pss_mebibytes)
                    print(f"{done:6} connects: {used[-1]:.1f} MiB")
                growth = used[-1] - used[0]
                kib = asyncio.run(idle_kib(server, options.idle))
    print(f"growth after the first {STEP}: {growth:.1f} MiB (limit {MAXIMUM_GROWTH_MIB})")
    print(f"{options.idle} idle clients: {kib:.1f} KiB each (limit {MAXIMUM_KIB})")
    if growth > MAXIMUM_GROWTH_MIB or kib > MAXIMUM_KIB:
        sys.exit("Too much memory.")


if __name__ == "__main__":
    main()
