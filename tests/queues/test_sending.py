"""`uow.enqueue` sends like `delay`: with the task's own queue and priority, unless the call has options of its own."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from redis import Redis

from src.core.config import settings
from src.core.resources import Resources
from src.queues.celery import Celery
from src.queues.publisher import create_outbox
from tests.support.waiting import eventually

# Celery prefers `task_routes` to the options `queue` and `priority` of a task.
pytestmark = pytest.mark.filterwarnings("ignore::celery.exceptions.CDeprecationWarning")


@pytest.fixture
def broker() -> Iterator[Redis]:
    with Redis.from_url(str(settings.CELERY_REDIS_URL), decode_responses=True) as client:
        yield client


@pytest.fixture
def outbox(resources: Resources, key: str, monkeypatch: pytest.MonkeyPatch, broker: Redis) -> Iterator[None]:
    """An outbox whose application has not yet imported its task, as in a web process."""
    with Celery("sender", broker=str(settings.CELERY_REDIS_URL), set_as_current=False) as app:
        # Kombu's own transport, whatever other tests made of its aliases: delayed messages stay in their queue.
        app.conf.broker_transport = "kombu.transport.redis:Transport"

        def import_tasks() -> None:
            @app.task(name=key, queue=key, priority=3, shared=False)
            def task(number: int) -> None: ...

        monkeypatch.setattr(app.loader, "import_default_modules", import_tasks)
        monkeypatch.setattr(resources, "tasks", create_outbox(lambda: app))
        yield
    broker.delete(key, *broker.keys(f"*{key}*"))


async def sent(resources: Resources, broker: Redis, target: str, task: str, **options: Any) -> dict[str, Any]:
    """The message that `enqueue` sends, which is in the queue `target`."""
    async with resources.unit_of_work() as uow:
        uow.enqueue(task, number=1, **options)
    (name,) = await eventually(lambda: broker.keys(f"{target}*"))
    message: dict[str, Any] = json.loads(broker.lindex(name, 0) or "")
    return message


@pytest.mark.usefixtures("outbox")
class TestEnqueueing:
    async def test_the_tasks_own_queue_and_priority_apply(self, resources: Resources, broker: Redis, key: str) -> None:
        message = await sent(resources, broker, key, key)
        assert message["properties"]["delivery_info"]["routing_key"] == key
        assert message["properties"]["priority"] == 3

    async def test_options_of_the_call_override_them(self, resources: Resources, broker: Redis, key: str) -> None:
        message = await sent(resources, broker, f"other:{key}", key, queue=f"other:{key}", priority=9)
        assert message["properties"]["priority"] == 9

    async def test_a_countdown_and_an_expiry_become_times(self, resources: Resources, broker: Redis, key: str) -> None:
        before = datetime.now(UTC)
        headers = (await sent(resources, broker, key, key, countdown=60, expires=90))["headers"]
        eta, expires = (datetime.fromisoformat(headers[name]) for name in ("eta", "expires"))
        assert timedelta(seconds=60) <= eta - before < timedelta(seconds=70)
        assert expires - eta == pytest.approx(timedelta(seconds=30), abs=timedelta(seconds=1))

    async def test_an_eta_is_kept(self, resources: Resources, broker: Redis, key: str) -> None:
        eta = datetime(2030, 1, 1, tzinfo=UTC)
        assert (await sent(resources, broker, key, key, eta=eta))["headers"]["eta"] == eta.isoformat()
