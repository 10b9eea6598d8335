"""A TCP proxy in front of a store that fails as networks do."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from tests.support.waiting import PATIENCE_SECONDS

HOST = "127.0.0.1"


class Proxy:
    """Forwards to one server. `hang`, `refuse` and `reset` affect open and new connections until `heal`."""

    def __init__(self, host: str, port: int) -> None:
        self._target = host, port
        self._flowing = asyncio.Event()
        self._replying = asyncio.Event()
        self._last: bytes | None = None
        self._delay = 0.0
        self._cutting = False
        self._resetting = False
        self._greeting: bytes | None = None
        self._serving: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._server: asyncio.Server | None = None
        self.port = 0

    def lead_to(self, url: str) -> None:
        """Forward new connections to another server."""
        parts = urlsplit(url)
        assert parts.hostname
        assert parts.port
        self._target = parts.hostname, parts.port

    async def heal(self) -> None:
        self._resetting, self._greeting, self._last = False, None, None
        self._delay, self._cutting = 0.0, False
        self._flowing.set()
        self._replying.set()
        if self._server is None:
            self._server = await asyncio.start_server(self._accept, HOST, self.port)
            self.port = self._server.sockets[0].getsockname()[1]

    @property
    def connections(self) -> int:
        """Number of open connections."""
        return len(self._serving)

    @asynccontextmanager
    async def closing(self) -> AsyncIterator[None]:
        """Wait at the end of the block until the connections from before it have closed."""
        open_connections = list(self._serving)
        yield
        await asyncio.wait(open_connections, timeout=PATIENCE_SECONDS)

    def hang(self) -> None:
        """Accept connections, and forward nothing."""
        self._flowing.clear()

    def lose_replies(self, request: bytes = b"") -> None:
        """Forward requests and no replies, from the next request on that contains these bytes."""
        self._last = request

    def delay(self, seconds: float = 0.02) -> None:
        """Forward everything, this much later."""
        self._delay = seconds

    def cut(self) -> None:
        """Close each connection in the middle of the next reply."""
        self._cutting = True

    def reset(self) -> None:
        """Accept and drop connections."""
        self._resetting = True
        self._drop()

    def answer(self, greeting: bytes) -> None:
        """Answer new connections with these bytes and close them; drop open ones."""
        self._greeting = greeting
        self._drop()

    def say(self, message: bytes) -> None:
        """Send these bytes to the client of each open connection, as if they came from the server."""
        for writer in self._serving.values():
            writer.write(message)

    def refuse(self) -> None:
        """Refuse connections."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self._drop()

    def _drop(self) -> None:
        for writer in self._serving.values():
            writer.transport.abort()

    async def close(self) -> None:
        self.refuse()
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._serving[task] = writer
        task.add_done_callback(self._serving.pop)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream: asyncio.StreamWriter | None = None
        try:
            if self._greeting is not None:
                await reader.read(1024)
                writer.write(self._greeting)
                await writer.drain()
            elif not self._resetting:
                await self._flowing.wait()
                source, upstream = await asyncio.open_connection(*self._target)
                await _first(
                    self._pipe(reader, upstream, self._flowing),
                    self._pipe(source, writer, self._flowing, self._replying),
                )
        except OSError:
            return  # one side has gone; the other is closed below
        finally:
            writer.transport.abort()
            if upstream is not None:
                upstream.transport.abort()

    async def _pipe(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *gates: asyncio.Event) -> None:
        while data := await reader.read(65_536):
            if self._replying not in gates and self._last is not None and self._last in data:
                self._replying.clear()
            for gate in gates:
                await gate.wait()
            if self._delay:
                await asyncio.sleep(self._delay)
            if self._cutting and self._replying in gates:
                writer.write(data[: len(data) // 2])
                await writer.drain()
                return
            writer.write(data)
            await writer.drain()


async def _first(*work: Any) -> None:
    tasks = [asyncio.ensure_future(item) for item in work]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def proxied(url: str) -> AsyncIterator[tuple[str, Proxy]]:
    """A URL that leads through a proxy, and the proxy."""
    parts = urlsplit(url)
    assert parts.hostname
    assert parts.port
    proxy = Proxy(parts.hostname, parts.port)
    await proxy.heal()
    login = f"{parts.netloc.rpartition('@')[0]}@" if "@" in parts.netloc else ""
    try:
        yield parts._replace(netloc=f"{login}{HOST}:{proxy.port}").geturl(), proxy
    finally:
        await proxy.close()
