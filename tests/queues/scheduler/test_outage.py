"""Beat survives an outage of its database, then handles missed slots by each schedule's policy."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import datetime, timedelta

import pytest
from sqlalchemy import make_url
from sqlmodel.ext.asyncio.session import AsyncSession

from src.core.config import settings
from src.models.schedule import MisfirePolicy
from tests.queues.conftest import BEAT, Run
from tests.queues.schedules import Queue, empty_table, store
from tests.support.waiting import eventually

pytestmark = pytest.mark.worker


@pytest.fixture
async def session() -> AsyncIterator[AsyncSession]:
    async with empty_table() as session:
        yield session


class Proxy:
    """A TCP proxy to PostgreSQL that can be closed."""

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


OUTAGE_SECONDS = 4
GRACE_SECONDS = 2
SECOND = timedelta(seconds=1)


class Sent:
    """The slots that a queue's messages were sent for, and those that were sent late."""

    def __init__(self, queue: Queue) -> None:
        sent_at = {
            datetime.fromisoformat(headers["scheduled_for"]): headers["queued_at"] for headers in queue.headers()
        }
        assert len(sent_at) == len(queue)
        self.slots = sorted(sent_at)
        self.late = [
            slot for slot in self.slots if datetime.fromisoformat(sent_at[slot]) - slot > GRACE_SECONDS * SECOND
        ]

    @property
    def gaps(self) -> list[timedelta]:
        steps = (later - earlier for earlier, later in zip(self.slots, self.slots[1:], strict=False))
        return [step for step in steps if step != SECOND]


class TestOutages:
    async def test_missed_slots_follow_the_policy(self, session: AsyncSession, run: Run) -> None:
        queues = {policy: Queue() for policy in MisfirePolicy}
        schedules = [queue.every_second(misfire_policy=policy) for policy, queue in queues.items()]
        await store(session, *schedules)
        proxy = Proxy()
        url = proxy.target.set(host="127.0.0.1", port=(port := await proxy.open())).render_as_string(False)
        beat = run(*BEAT, SQL_DATABASE_URL=url, SAMPLE_MISFIRE_GRACE_SECONDS=str(GRACE_SECONDS))
        await eventually(lambda: all(queues.values()))
        # Cut the connection after a commit: between publishing and committing, slots would be sent again.
        while not all(schedule.total_run_count for schedule in schedules):
            for schedule in schedules:
                await session.refresh(schedule)
            await session.commit()
        await proxy.close()
        await asyncio.sleep(OUTAGE_SECONDS)
        before = {policy: len(queue) for policy, queue in queues.items()}
        await proxy.open(port)
        await eventually(lambda: all(len(queues[policy]) > before[policy] + 2 for policy in queues))
        assert await asyncio.to_thread(beat.stop) == 0
        await proxy.close()
        sent = {policy: Sent(queue) for policy, queue in queues.items()}
        assert (len(sent[MisfirePolicy.SKIP].late), len(sent[MisfirePolicy.SKIP].gaps)) == (0, 1)
        assert (len(sent[MisfirePolicy.RUN_ONCE].late), len(sent[MisfirePolicy.RUN_ONCE].gaps)) == (1, 1)
        assert (len(sent[MisfirePolicy.CATCH_UP].late) >= 2, sent[MisfirePolicy.CATCH_UP].gaps) == (True, [])

    async def test_beat_can_be_stopped_while_it_waits(self, run: Run) -> None:
        beat = run(*BEAT, SQL_DATABASE_URL=make_url(settings.SQL_DATABASE_URL).set(port=1).render_as_string(False))
        await asyncio.to_thread(beat.wait_for, "Waking up in 5")
        assert await asyncio.to_thread(beat.stop) == 0

    async def test_beat_waits_for_its_database(self, session: AsyncSession, run: Run) -> None:
        queue = Queue()
        await store(session, queue.every_second())
        proxy = Proxy()
        port = await proxy.open()
        beat = run(*BEAT, SQL_DATABASE_URL=proxy.target.set(host="127.0.0.1", port=port).render_as_string(False))
        await eventually(lambda: len(queue) >= 1)
        await proxy.close()
        await asyncio.to_thread(beat.wait_for, "cannot schedule")
        sent = len(queue)
        await proxy.open(port)
        await eventually(lambda: len(queue) >= sent + 2)
        assert beat.log.read_text().count("cannot schedule") <= 2
        assert await asyncio.to_thread(beat.stop) == 0
        await proxy.close()
