"""What a client without an account can try: large and slow requests, many connections, hostile text."""

import asyncio
import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx

from scripts.bench.servers import Server

LOGIN = "/api/v1/auth/login"
SOCKET = "/socket.io/?EIO=4&transport=websocket"
UPGRADE = (
    f"GET {SOCKET} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
).encode()
POST = f"POST {LOGIN} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n".encode()
MEBIBYTE = 1 << 20
PROBE = """
import statistics, sys, time, httpx
end, seconds = time.monotonic() + 5, []
with httpx.Client() as client:
    while time.monotonic() < end:
        started = time.perf_counter()
        client.get(sys.argv[1])
        seconds.append(time.perf_counter() - started)
print(statistics.median(seconds))
"""


def mebibytes(server: Server, value: str = "VmRSS") -> float:
    """The memory of a server: now, or with `VmHWM` at most."""
    status = Path(f"/proc/{server.pid}/status").read_text()
    return int(status.partition(f"{value}:")[2].split()[0]) / 1024


def reset_peak(server: Server) -> float:
    """Let `VmHWM` begin anew; returns what the server has now."""
    Path(f"/proc/{server.pid}/clear_refs").write_text("5")
    return mebibytes(server)


def probe(url: str, over: threading.Event) -> list[float]:
    """The seconds of each of many requests; run it in a thread, since the event loop is busy with an attack."""
    seconds: list[float] = []
    with httpx.Client() as client:
        while not over.is_set():
            started = time.perf_counter()
            client.get(url)
            seconds.append(time.perf_counter() - started)
    return seconds


class AnonymousAttack:
    """Attacks one process over raw sockets."""

    def __init__(self, server: Server, client: httpx.AsyncClient) -> None:
        self.server = server
        self.client = client

    async def exchange(self, *parts: bytes, seconds: float = 60) -> tuple[int, float]:
        """Send the parts; returns the status of the response, and how long the server kept the connection open."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.server.port)
        started, response = time.perf_counter(), b""
        reading = asyncio.create_task(reader.read())
        try:
            for part in parts:
                writer.write(part)
                await writer.drain()
                if reading.done():
                    break
            response = await asyncio.wait_for(reading, seconds)
        except (ConnectionError, TimeoutError):
            pass
        finally:
            reading.cancel()
            writer.close()
        return int(response.split()[1]) if response else 0, time.perf_counter() - started

    async def bodies_of_keys(self) -> tuple[int, float]:
        """Bodies of 65,000 unknown keys: the largest answer, and how much slower `/livez` is beside them."""
        body = json.dumps({f"{key:08}": 1 for key in range(65_000)}).encode()
        before, _ = await self._beside(lambda: asyncio.sleep(0.05))
        beside, sizes = await self._beside(lambda: self.client.post(LOGIN, content=body, headers=JSON))
        return max(sizes), beside / before

    async def _beside(self, act: Callable[[], Awaitable[Any]]) -> tuple[float, list[int]]:
        """The median seconds of `/livez`, asked by a process of its own, while something is done again and again."""
        command = sys.executable, "-c", PROBE, f"{self.client.base_url}/livez"
        process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        probing = asyncio.create_task(process.communicate())
        sizes = []
        while not probing.done():
            sizes.append(len(getattr(await act(), "content", b"")))
        return float(probing.result()[0]), sizes

    async def large_heads(self, megabytes: int) -> tuple[Counter[int], float]:
        """Headers, targets, trailers and chunk extensions of many megabytes: the statuses, and the memory they took."""
        before = reset_peak(self.server)
        chunked = POST + b"Transfer-Encoding: chunked\r\n\r\n"
        beginnings = [POST + b"A: ", b"GET /", chunked + b"0\r\nA: ", chunked + b"1;a="]
        beginnings += [POST + b"A: b\r\n" * 101 + b"\r\n"]
        statuses = [(await self.exchange(begin, *[b"x" * MEBIBYTE] * megabytes))[0] for begin in beginnings]
        return Counter(statuses), mebibytes(self.server, "VmHWM") - before

    async def pipelined_requests(self, megabytes: int) -> tuple[Counter[int], float]:
        """Requests of which none waits for a response: the status of the first, and the memory that they took."""
        before = reset_peak(self.server)
        requests = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n" * (MEBIBYTE // 32)
        status, _ = await self.exchange(*[requests] * megabytes)
        return Counter([status]), mebibytes(self.server, "VmHWM") - before

    async def slow_requests(self) -> tuple[Counter[int], float]:
        """Requests that stop in the middle: the statuses, and the longest time until one."""
        parts = [
            b"GET /li",
            POST,
            POST + b"A: b",
            POST + b"Content-Length: 9\r\n\r\n",
            POST + b"Content-Length: 9\r\n\r\n{",
        ]
        answers = await asyncio.gather(*(self.exchange(part) for part in parts))
        return Counter(status for status, _ in answers), max(seconds for _, seconds in answers)

    async def large_messages(self, count: int) -> tuple[int, float]:
        """Websocket messages of 16 MiB: how many were closed with 1009, and the memory they took."""
        before, closed = reset_peak(self.server), 0
        for _ in range(count):
            reader, writer = await asyncio.open_connection("127.0.0.1", self.server.port)
            writer.write(UPGRADE)
            head = await reader.readuntil(b"\r\n\r\n")
            writer.write(b"\x81\xff" + (16 * MEBIBYTE).to_bytes(8, "big") + bytes(4))
            closed += (1009).to_bytes(2, "big") in await reader.read() and b"deflate" not in head
            writer.close()
        return closed, mebibytes(self.server, "VmHWM") - before

    async def silent_websockets(self, count: int) -> Counter[int]:
        """Open many websockets that say nothing; the statuses of the last hundred."""
        writers, statuses = [], []
        for _ in range(count):
            reader, writer = await asyncio.open_connection("127.0.0.1", self.server.port)
            writer.write(UPGRADE)
            statuses.append(int((await reader.readuntil(b"\r\n\r\n")).split()[1]))
            writers.append(writer)
        for writer in writers:
            writer.close()
        return Counter(statuses[-100:])

    async def large_poll(self) -> tuple[int, float]:
        """A polling POST of 300 KB: its status, and after how many seconds."""
        path = "/socket.io/?EIO=4&transport=polling"
        opened = (await self.client.get(path)).text
        started = time.perf_counter()
        answer = await self.client.post(f"{path}&sid={json.loads(opened[1:])['sid']}", content=b"4" * 300_000)
        return answer.status_code, time.perf_counter() - started

    async def hostile_paths(self, headers: dict[str, str]) -> Counter[int]:
        """NUL in each path parameter of each operation: the statuses."""
        document = (await self.client.get("/openapi.json")).json()
        statuses: Counter[int] = Counter()
        for path, operations in document["paths"].items():
            url = "/".join("a%00b" if part.startswith("{") else part for part in path.split("/"))
            for method in operations if url != path else ():
                statuses[(await self.client.request(method, url, headers=headers, json={})).status_code] += 1
        return statuses

    async def too_many(self, count: int) -> tuple[Counter[int], float]:
        """Anonymous requests to one route from one address: the statuses, and how many seconds they took."""
        statuses: Counter[int] = Counter()
        started = time.perf_counter()

        async def refresh() -> None:
            for _ in range(count // 50):
                statuses[(await self.client.post("/api/v1/auth/token/refresh")).status_code] += 1

        await asyncio.gather(*(refresh() for _ in range(50)))
        return statuses, time.perf_counter() - started


JSON = {"Content-Type": "application/json"}
