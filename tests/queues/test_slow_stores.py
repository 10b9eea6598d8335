"""Worker and beat wait for a store that does not answer at their start, say for which, and can be stopped meanwhile."""

import asyncio
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from redis import Redis

from src.core.config import settings
from src.queues.app import app
from tests.queues.conftest import BEAT, CeleryProcess, Run
from tests.queues.restartable import RestartableRedis
from tests.support.pools import POOLS, Pool
from tests.support.proxy import proxied

pytestmark = pytest.mark.worker
STORES = ["CELERY_REDIS_URL", "SQL_DATABASE_URL"]


async def reports(process: CeleryProcess, url: str) -> None:
    """Wait for a line that names the store, without its password."""
    parts = urlsplit(url)
    address = rf"{re.escape(parts.scheme)}://[^ ]*@?{parts.hostname}:{parts.port}"
    waiting = rf"(Cannot connect to|cannot schedule, waiting for|Connection error, waiting for) {address}"
    await asyncio.to_thread(process.wait_until, lambda: re.search(waiting, process.output))
    assert parts.password is None or parts.password not in process.output


@pytest.mark.parametrize("pool", POOLS, ids=lambda pool: pool.name)
async def test_a_worker_waits_for_its_broker(run: Run, pool: Pool, key: str) -> None:
    async with proxied(str(settings.CELERY_REDIS_URL)) as (url, proxy):
        proxy.hang()
        worker = pool.start(run, key, CELERY_REDIS_URL=url)
        await reports(worker, url)
        await proxy.heal()
        await asyncio.to_thread(worker.wait_for, "ready.")
        assert await asyncio.to_thread(worker.stop) == 0


@pytest.mark.parametrize("pool", POOLS, ids=lambda pool: pool.name)
def test_a_worker_waits_while_its_broker_refuses_writes(run: Run, pool: Pool, key: str, tmp_path: Path) -> None:
    with RestartableRedis(tmp_path) as store, Redis.from_url(store.url) as client:
        client.config_set("min-replicas-to-write", 1)
        worker = pool.start(run, key, CELERY_REDIS_URL=store.url)
        worker.wait_until(lambda: re.search("NOREPLICAS|server:ResponseError", worker.output))
        client.config_set("min-replicas-to-write", 0)
        worker.wait_for("ready.")
        assert worker.stop() == 0


def test_a_worker_waits_however_long_it_takes() -> None:
    assert app.conf.broker_connection_max_retries is None


@pytest.mark.parametrize("name", STORES)
@pytest.mark.parametrize("heals", [True, False])
async def test_beat_waits_and_can_be_stopped_meanwhile(run: Run, name: str, *, heals: bool) -> None:
    async with proxied(str(getattr(settings, name))) as (url, proxy):
        proxy.hang()
        beat = run(*BEAT, SQL_CONNECT_TIMEOUT_SECONDS="1", **{name: url})
        await reports(beat, url)
        if heals:
            await proxy.heal()
            await asyncio.to_thread(beat.wait_for, "beat: sent outbox.relay")
        assert await asyncio.to_thread(beat.stop) == 0
