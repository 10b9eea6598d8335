"""A keep-alive HTTP client that costs little, so that the server is what is measured."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import repeat


@dataclass
class Result:
    """What a run saw: requests a second, answers by status, latencies in seconds.

    The latencies leave out the first request of each connection: all of them connect and ask at once.
    """

    rate: float
    statuses: Counter[int]
    latencies: list[float] = field(repr=False)

    def percentile(self, share: float) -> float:
        """The latency that this share of the requests did not exceed, in milliseconds."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000


async def load(port: int, request: bytes | Iterator[bytes], *, connections: int, seconds: float) -> Result:
    """Send the same request, or one after the other, on some connections at once, for some seconds."""
    requests = repeat(request) if isinstance(request, bytes) else request
    statuses: Counter[int] = Counter()
    latencies: list[float] = []
    started = time.perf_counter()
    deadline = started + seconds

    async def run() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        is_first = True
        while time.perf_counter() < deadline:
            sent = time.perf_counter()
            writer.write(next(requests))
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length: ", 1)[1].split(b"\r\n", 1)[0])
            await reader.readexactly(length)
            if not is_first:
                latencies.append(time.perf_counter() - sent)
            is_first = False
            statuses[int(head[9:12])] += 1
        writer.close()

    await asyncio.gather(*(run() for _ in range(connections)))
    return Result(statuses.total() / (time.perf_counter() - started), statuses, latencies)


def get(path: str, **headers: str) -> bytes:
    """The bytes of a GET."""
    lines = [f"GET {path} HTTP/1.1", "Host: bench", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()
