"""Beat outlives its database."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
from sqlalchemy import make_url
from sqlmodel.ext.asyncio.session import AsyncSession

from src.core.config import settings
from tests.queues.conftest import BEAT, Run, wait_until
from tests.queues.schedules import Queue, empty_table, store


@pytest.fixture
async def session() -> AsyncIterator[AsyncSession]:
    async with empty_table() as session:
        yield session


class Proxy:
    """A way to PostgreSQL that can be closed."""

    def __init__(self) -> None:
        self.target = make_url(settings.SQL_DATABASE_URL)
        self.writers: list[asyncio.StreamWriter] = []

    async def open(self, port: int = 0) -> int:
        self.server = await asyncio.start_server(self.connect, "127.0.0.1", port)
        return int(self.server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        self.server.close()
        for writer in self.writers:
            writer.transport.abort()
        self.writers.clear()

    async def connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(self.target.host, self.target.port)
        self.writers += [writer, far_writer]
        with suppress(ConnectionError):
            await asyncio.gather(self.pump(reader, far_writer), self.pump(far_reader, writer))

    async def pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()


class TestOutages:
    async def test_beat_waits_for_its_database(self, session: AsyncSession, run: Run) -> None:
        queue = Queue()
        await store(session, queue.every_second())
        proxy = Proxy()
        port = await proxy.open()
        beat = run(*BEAT, SQL_DATABASE_URL=proxy.target.set(host="127.0.0.1", port=port).render_as_string(False))
        await asyncio.to_thread(wait_until, lambda: len(queue) >= 1, 20)
        await proxy.close()
        await asyncio.to_thread(beat.wait_for, "cannot schedule")
        sent = len(queue)
        await proxy.open(port)
        await asyncio.to_thread(wait_until, lambda: len(queue) >= sent + 2, 20)
        assert beat.log.read_text().count("cannot schedule") <= 2
        assert await asyncio.to_thread(beat.stop) == 0
        await proxy.close()
