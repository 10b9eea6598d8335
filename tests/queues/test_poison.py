"""Whatever somebody writes into the broker's keys, workers go on, and keep it aside."""

import base64
import json
from collections.abc import Callable
from copy import deepcopy
from typing import Any
from uuid import uuid4

import pytest
from redis import Redis

from src.core.config import settings
from src.queues.broker.malformed import DEAD_LETTERS, MALFORMED_KEY
from tests.queues import sample
from tests.queues.conftest import Run
from tests.support.pools import POOLS, Pool
from tests.support.waiting import PATIENCE_SECONDS, wait_until

pytestmark = pytest.mark.worker

Message = dict[str, Any]
Change = Callable[[Message], object]


def with_body(text: str) -> Change:
    return lambda message: message.update(body=base64.b64encode(text.encode()).decode())


def part(name: str, **values: Any) -> Change:
    return lambda message: message[name].update(values)


def without(name: str, key: str) -> Change:
    return lambda message: message[name].pop(key)


def whole(**values: Any) -> Change:
    return lambda message: message.update(values)


ODD: list[Any] = [None, 5, "x", [], {}, [1], {"a": 1}, True, 1e308, "\x00", "x" * 100_000]
HEADERS = [
    *("id", "task", "eta", "expires", "retries", "timelimit", "compression", "group", "root_id", "parent_id", "origin"),
    *("argsrepr", "lang", "ignore_result", "stamps", "stamped_headers", "shadow", "requested_by", "request_id"),
    *("queued_at", "schedule_id"),
]
PROPERTIES = ["delivery_tag", "delivery_info", "body_encoding", "priority", "correlation_id", "reply_to"]
BODIES = [
    *(
        "",
        "null",
        "5",
        "{}",
        "[]",
        "[1]",
        "[1, 2, 3]",
        "[[], {}, null]",
        "[[], {}, []]",
        "[null, null, null]",
        "[" * 900,
    ),
    *(
        '[[], {}, {"callbacks": "x"}]',
        '[[], {}, {"errbacks": [5]}]',
        '[[], {}, {"chain": 5}]',
        '[[], {}, {"chord": "x"}]',
    ),
    *('[[], {}, {"callbacks": [{"task": 5}]}]', '[[1, 2], {}, {"chain": [5]}]', "\xff"),
]
CHANGES: list[Change] = [
    *(whole(**{name: value}) for name in ("body", "headers", "properties", "content-type") for value in ODD),
    *(whole(**{name: value}) for name in ("content-encoding",) for value in ODD),
    *(part("headers", **{name: value}) for name in HEADERS for value in ODD),
    *(part("properties", **{name: value}) for name in PROPERTIES for value in ODD),
    *(without(name, key) for name, keys in (("headers", HEADERS[:2]), ("properties", PROPERTIES[:3])) for key in keys),
    *(with_body(text) for text in BODIES),
]
RAW = [
    b"",
    b"\xff",
    b"null",
    b"[]",
    b"5",
    b'"x"',
    b"{}",
    b"[" * 2000,
    b'{"properties": {"delivery_tag": "t"}}',
    b'{"properties": {"delivery_tag": "u", "delivery_info": {"exchange": "", "routing_key": "x"}}}',
]


@pytest.fixture(params=POOLS, ids=lambda pool: pool.name)
def pool(request: pytest.FixtureRequest) -> Pool:
    pool: Pool = request.param
    return pool


@pytest.fixture
def broker() -> Redis:
    return Redis.from_url(str(settings.CELERY_REDIS_URL))


def poisoned(message: Message, change: Change) -> str:
    """The message with a change, and ids of its own."""
    poison = deepcopy(message)
    poison["properties"]["delivery_tag"] = poison["headers"]["id"] = str(uuid4())
    change(poison)
    return json.dumps(poison)


class TestRow63Poison:
    def test_a_worker_survives_every_message_and_keeps_it_once(self, run: Run, pool: Pool, broker: Redis) -> None:
        queue, template = f"test:{uuid4()}", f"test:{uuid4()}"
        sample.add.apply_async((1, 2), queue=template)
        sent: Any = broker.lindex(template, 0)
        message = json.loads(sent)
        broker.delete(template, MALFORMED_KEY, DEAD_LETTERS, "unacked", "unacked_index")
        worker = pool.start(run, queue, CELERY_BULK_TRANSPORT="true")
        worker.wait_for("ready.")
        poisons: list[Any] = [*RAW, *(poisoned(message, change) for change in CHANGES)]
        for poison in poisons:
            broker.lpush(queue, poison)
        no_list = f"test:{uuid4()}"
        broker.set(no_list, "a queue would be a list")
        broker.zadd("_kombu.delayed", {b"nonsense": 1, b"one\nline": 1, f"{no_list}\nx\nwrong type".encode(): 1})
        broker.hset("unacked", "nonsense", b"\xff")
        broker.zadd("unacked_index", {"nonsense": 1})
        assert sample.add.apply_async((1, 2), queue=queue).get(timeout=PATIENCE_SECONDS) == 3
        wait_until(lambda: not broker.llen(queue) and not broker.hlen("unacked"))
        assert broker.llen(MALFORMED_KEY) > len(RAW)
        assert broker.llen(DEAD_LETTERS) > 50
        wait_until(lambda: not broker.exists("_kombu.delayed"))
        assert worker.stop() == 0
