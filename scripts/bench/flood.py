"""Send 30,000 events from one client; measure tasks, memory and the latency of HTTP requests.

The client `once` stops when it is dropped; `again` reconnects until all events are sent.

python -m scripts.bench.flood [--rounds 3]
"""

import argparse
import asyncio
import json
import os
import statistics
import sys
import urllib.request
from pathlib import Path
from typing import Any

import aiohttp

from scripts.bench.load import get, load
from scripts.bench.servers import Server, serve

EVENTS = 30_000
CONNECTIONS = 4
SECONDS = 3.0
FLOOD = '42["slow"]'


def report(server: Server) -> dict[str, Any]:
    """Return the maximum number of tasks since the last report."""
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/report", timeout=5) as response:
        counts: dict[str, Any] = json.load(response)
        return counts


def memory_mib(server: Server) -> float:
    """Return the resident memory of the process."""
    fields = Path(f"/proc/{server.pid}/statm").read_text().split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


async def flood(server: Server, *, again: bool) -> tuple[int, int]:
    """Send all events; returns how often the client was dropped, and the most events that it sent before."""
    sent = drops = longest = 0
    url = f"ws://127.0.0.1:{server.port}/socket.io/?EIO=4&transport=websocket"
    async with aiohttp.ClientSession() as http:
        while sent < EVENTS and (again or not drops):
            async with http.ws_connect(url) as socket:
                await socket.send_str("40")
                reading = asyncio.create_task(until_closed(socket))
                began = sent
                while sent < EVENTS and not reading.done():
                    await asyncio.gather(*(socket.send_str(FLOOD) for _ in range(50)), return_exceptions=True)
                    sent += 50
                    await asyncio.sleep(0.001)
                drops += reading.done()
                longest = max(longest, sent - began)
                reading.cancel()
    return drops, longest


async def until_closed(socket: aiohttp.ClientWebSocketResponse) -> None:
    """Read until the server closes the connection."""
    async for _ in socket:
        pass


async def http_p99(server: Server) -> float:
    """Return the 99th percentile of HTTP latency in milliseconds, measured by another process than the flood."""
    command = ["-m", "scripts.bench.flood", "--load", str(server.port)]
    process = await asyncio.create_subprocess_exec(sys.executable, *command, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    return float(output)


async def under_flood(server: Server, *, again: bool) -> tuple[float, tuple[int, int]]:
    """Return that latency during a flood, and what `flood` returns."""
    latency, flooded = await asyncio.gather(http_p99(server), flood(server, again=again))
    return latency, flooded


def compare(server: Server, rounds: int) -> None:
    """Run and print all rounds, and the medians."""
    asyncio.run(http_p99(server))
    before = memory_mib(server)
    shares: dict[bool, list[float]] = {False: [], True: []}
    print(
        f"{'':6} {'calm ms':>8} {'flood ms':>8} {'share':>6} {'tasks':>6} {'MiB more':>8} {'drops':>6} {'longest':>8}"
    )
    for _ in range(rounds):
        for again, found in shares.items():
            calm = asyncio.run(http_p99(server))
            report(server)
            flooded, (drops, longest) = asyncio.run(under_flood(server, again=again))
            found.append(flooded / calm)
            tasks, more = report(server)["tasks"], memory_mib(server) - before
            name = "again" if again else "once"
            figures = f"{calm:8.2f} {flooded:8.2f} {found[-1]:6.2f} {tasks:6} {more:8.1f} {drops:6} {longest:8}"
            print(f"{name:6} {figures}")
    for again, found in shares.items():
        name = "again" if again else "once"
        print(f"p99 of HTTP during the flood, {name}: {statistics.median(found):.2f} of that without flood")


def main() -> None:
    """Start a server and flood it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--load", type=int, help="only load the server on this port")
    options = parser.parse_args()
    if options.load:
        result = asyncio.run(load(options.load, get("/livez"), connections=CONNECTIONS, seconds=SECONDS))
        print(result.percentile(0.99))
        return
    with serve("scripts.bench.socket_servers:flooded", "/livez", dict(os.environ)) as server:
        compare(server, options.rounds)


if __name__ == "__main__":
    main()
