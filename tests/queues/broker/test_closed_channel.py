"""A broker that fails while a queue is declared, and works again when kombu tries once more."""

import asyncio
from uuid import uuid4

from kombu import Queue
from redis import Redis

from src.core.config import settings
from src.queues.app import app
from tests.support.proxy import proxied


async def test_the_message_is_published_once() -> None:
    redis_url = str(settings.CELERY_REDIS_URL)
    name, loop = f"test:{uuid4()}", asyncio.get_running_loop()
    async with proxied(redis_url) as (url, proxy):

        def heal(*_: object) -> None:
            asyncio.run_coroutine_threadsafe(proxy.heal(), loop).result()

        with app.connection_for_write(url) as connection:
            connection.transport_options = {**app.conf.broker_transport_options, "socket_timeout": 0.5}
            producer = app.amqp.Producer(connection)
            await asyncio.to_thread(producer.publish, {}, routing_key=name)  # connects
            proxy.hang()
            policy = {"errback": heal, "interval_start": 0}
            await asyncio.to_thread(
                producer.publish, {}, routing_key=name, declare=[Queue(name)], retry=True, retry_policy=policy
            )
    with Redis.from_url(redis_url) as redis:
        assert redis.llen(name) == 2
