"""Compare events and broadcasts over real sockets with handlers written by hand for python-socketio, in the same run.

python -m scripts.bench.sockets [--events 20000] [--rounds 3]
"""

import argparse
import asyncio
import os
import statistics
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from scripts.bench.servers import Server, serve

SAY = '["say",{"room":"lobby","text":"hello, everybody","tags":["a","b"]}]'
BROADCASTS = 60
RECIPIENTS = 500
TARGETS = {"say 50": 1.10, "say 500": 1.10, f"broadcast {RECIPIENTS}": 0.85}


@asynccontextmanager
async def connected(port: int, clients: int) -> AsyncIterator[list[aiohttp.ClientWebSocketResponse]]:
    """Connect clients that speak the protocol by hand, at little CPU cost."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        sockets = []
        for _ in range(clients):
            socket = await http.ws_connect(f"ws://127.0.0.1:{port}/socket.io/?EIO=4&transport=websocket")
            await socket.receive_str()
            await socket.send_str("40")
            await socket.receive_str()
            sockets.append(socket)
        yield sockets
        for socket in sockets:
            await socket.close()


async def next_packet(socket: aiohttp.ClientWebSocketResponse) -> str:
    """Return the next packet of the server; answers pings."""
    while (packet := await socket.receive_str()) == "2":
        await socket.send_str("3")
    return packet


async def say(server: Server, clients: int, events: int) -> tuple[float, float]:
    """Return the server's CPU microseconds per event with its ack, and wall microseconds."""
    async with connected(server.port, clients) as sockets:

        async def run(socket: aiohttp.ClientWebSocketResponse) -> None:
            for number in range(events // clients):
                await socket.send_str(f"42{number}{SAY}")
                if '"total":1' not in (packet := await next_packet(socket)):
                    raise RuntimeError(f"Not the ack: {packet}")

        before, started = server.cpu_seconds, time.perf_counter()
        await asyncio.gather(*map(run, sockets))
        return _per(server, before, started, events)


async def broadcast(server: Server) -> tuple[float, float]:
    """Return the server's CPU microseconds per delivery of a broadcast to one client, and wall microseconds."""
    async with connected(server.port, RECIPIENTS) as sockets:

        async def run(socket: aiohttp.ClientWebSocketResponse) -> None:
            for _ in range(BROADCASTS):
                await next_packet(socket)

        before, started = server.cpu_seconds, time.perf_counter()
        await sockets[0].send_str(f'42["shout",{BROADCASTS}]')
        await asyncio.gather(*map(run, sockets))
        return _per(server, before, started, BROADCASTS * RECIPIENTS)


def _per(server: Server, before: float, started: float, events: int) -> tuple[float, float]:
    return (server.cpu_seconds - before) / events * 1e6, (time.perf_counter() - started) / events * 1e6


def main() -> None:
    """Print medians of interleaved rounds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    cases: dict[str, Callable[[Server], Coroutine[Any, Any, tuple[float, float]]]] = {
        "say 50": lambda server: say(server, 50, options.events),
        "say 500": lambda server: say(server, 500, options.events),
        f"broadcast {RECIPIENTS}": broadcast,
    }
    environment = dict(os.environ)
    print(f"{'case':14} {'ours us':>8} {'bare us':>8} {'share':>6} {'target':>6} {'wall':>6}")
    with (
        serve("scripts.bench.socket_servers:ours", "/livez", environment) as ours,
        serve("scripts.bench.socket_servers:bare", "/livez", environment) as bare,
    ):
        for name, case in cases.items():
            rounds = [(asyncio.run(case(ours)), asyncio.run(case(bare))) for _ in range(options.rounds)]
            cpu = statistics.median(ours[0] / bare[0] for ours, bare in rounds)
            wall = statistics.median(ours[1] / bare[1] for ours, bare in rounds)
            our_cost, bare_cost = (statistics.median(pair[side][0] for pair in rounds) for side in (0, 1))
            print(f"{name:14} {our_cost:8.1f} {bare_cost:8.1f} {cpu:6.2f} {TARGETS[name]:6.2f} {wall:6.2f}")


if __name__ == "__main__":
    main()
