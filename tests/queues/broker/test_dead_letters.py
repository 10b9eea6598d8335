"""Messages that a worker cannot run go to the queue `dead-letters`, and stop nothing."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from celery.exceptions import NotRegistered
from kombu import Producer

from src.queues.app import app
from src.queues.broker.malformed import DEAD_LETTERS
from tests.queues import sample
from tests.queues.conftest import CeleryProcess, running
from tests.support.pools import POOLS
from tests.support.waiting import PATIENCE_SECONDS, wait_until

pytestmark = pytest.mark.worker


@pytest.fixture(scope="module", params=POOLS, ids=lambda pool: pool.name)
def queue(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The queue of a worker."""
    name = f"letters-{request.param.name}"
    with running(tmp_path_factory.mktemp(name)) as run:
        worker: CeleryProcess = request.param.start(run, name)
        worker.wait_for("ready.")
        yield name
        assert worker.stop() == 0


def publish(body: Any, queue: str, **options: Any) -> None:
    with app.connection_for_write() as connection:
        Producer(connection).publish(body, exchange="", routing_key=queue, **options)


def letter(queue: str) -> Any:
    """The next dead letter of a queue."""

    def take() -> Any:
        with app.connection_for_read() as connection:
            channel: Any = connection.default_channel
            return channel.basic_get(DEAD_LETTERS, no_ack=True)

    message = wait_until(take)
    assert message.headers.pop("dead_letter_of") == queue
    return message


def test_a_task_that_the_worker_does_not_have(queue: str) -> None:
    result = app.send_task("sample.removed", (1,), {"y": 2}, queue=queue)
    with pytest.raises(NotRegistered):
        result.get(timeout=PATIENCE_SECONDS)
    message = letter(queue)
    assert message.headers["id"] == result.id
    assert message.decode()[:2] == [[1], {"y": 2}]


def test_a_compressed_message_stays_readable(queue: str) -> None:
    app.send_task("sample.removed", ("x" * 1000,), queue=queue, compression="zlib")
    assert letter(queue).decode()[0] == ["x" * 1000]


MESSAGES: dict[str, Callable[[str], object]] = {
    "of another program": lambda queue: publish({"hello": "world"}, queue, serializer="json"),
    "with headers that are no object": lambda queue: publish([1, 2], queue, serializer="json", headers={"a": [1]}),
    "of a content type that is not accepted": lambda queue: app.send_task(
        "sample.add", (1, 2), queue=queue, serializer="pickle"
    ),
    "with an eta that is no time": lambda queue: publish(
        [[1, 2], {}, {}], queue, serializer="json", headers={"task": "sample.add", "id": "x", "eta": "soon"}
    ),
    "with a body that is no JSON": lambda queue: publish(
        b"{",
        queue,
        content_type="application/json",
        content_encoding="utf-8",
        headers={"task": "sample.add", "id": "x"},
    ),
    "with a body in an unknown format": lambda queue: publish(b"\x00\xff", queue, content_type="image/png"),
}


@pytest.mark.parametrize("send", MESSAGES.values(), ids=MESSAGES.keys())
def test_a_message(queue: str, send: Callable[[str], object]) -> None:
    send(queue)
    assert letter(queue) is not None
    result = sample.add.apply_async((1, 2), queue=queue)
    assert result.get(timeout=PATIENCE_SECONDS) == 3
