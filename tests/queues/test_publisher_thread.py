"""Publishing never blocks the caller's event loop, whether the broker is available or not."""

import asyncio
import json
import socket
import time
from collections.abc import Iterator

import pytest
from redis import Redis

from src.core.config import settings
from src.core.effects import TaskCall
from src.core.exceptions import ServiceUnavailableError
from src.queues.celery import Celery
from src.queues.publisher import CeleryPublisher
from src.queues.publisher_thread import PublisherThread
from tests.queues import sample


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A server that accepts connections and never responds."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


async def longest_pause(stop: asyncio.Event) -> float:
    longest = 0.0
    while not stop.is_set():
        before = time.perf_counter()
        await asyncio.sleep(0.005)
        longest = max(longest, time.perf_counter() - before)
    return longest


class TestAnUnavailableBroker:
    async def test_a_refused_connection_raises_service_unavailable(self, closed_port: int) -> None:
        with Celery("away", broker=f"redis://127.0.0.1:{closed_port}/0", set_as_current=False) as app:
            app.conf.task_publish_retry_policy = {"max_retries": 1, "interval_start": 0, "interval_step": 0}
            with pytest.raises(ServiceUnavailableError, match="broker is unavailable"):
                await CeleryPublisher(lambda: app).send(TaskCall("some.task"))

    async def test_a_silent_broker_blocks_neither_caller_nor_loop(self, silent_port: int) -> None:
        publisher = PublisherThread(timeout_seconds=0.3)
        stop = asyncio.Event()
        watching = asyncio.create_task(longest_pause(stop))
        options = {"socket_timeout": 1, "retry_on_timeout": False}
        with Celery("silent", broker=f"redis://127.0.0.1:{silent_port}/0", set_as_current=False) as app:
            app.conf.update(broker_transport_options=options, task_publish_retry=False)
            before = time.perf_counter()
            with pytest.raises(ServiceUnavailableError):
                await publisher.publish(app.send_task, "some.task", ignore_result=True)
            assert time.perf_counter() - before < 0.6
        stop.set()
        assert await watching < 0.1


class TestManyCallers:
    async def test_messages_are_sent_in_the_order_of_the_calls(self, key: str) -> None:
        results = await asyncio.gather(*(sample.add.options(queue=key).adelay(number, 0) for number in range(50)))
        with Redis.from_url(str(settings.CELERY_REDIS_URL)) as broker:
            queued = [json.loads(message)["headers"]["id"] for message in broker.lrange(key, 0, -1)]
        assert queued[::-1] == [result.id for result in results]

    async def test_they_share_one_connection(self, key: str) -> None:
        with Celery("counted", broker=str(settings.CELERY_REDIS_URL), set_current=False) as app:
            app.conf.broker_transport_options = {"client_name": key}
            sender = CeleryPublisher(lambda: app)
            await sender.send(TaskCall(key))
            before = connections(key)
            await asyncio.gather(*(sender.send(TaskCall(key)) for _ in range(50)))
            assert connections(key) == before > 0


def connections(name: str) -> int:
    with Redis.from_url(str(settings.CELERY_REDIS_URL), decode_responses=True) as broker:
        return [client["name"] for client in broker.client_list()].count(name)
