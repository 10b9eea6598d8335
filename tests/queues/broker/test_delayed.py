"""Messages with an eta wait beside their queue: they run once, however short the visibility timeout."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import OutOfMemoryError

from src.core.config import settings
from src.queues.app import app
from src.queues.broker.delayed import DELAYED_KEY, due_at, move_due_messages
from src.queues.broker.malformed import MALFORMED_KEY
from tests.queues import sample
from tests.queues.conftest import Run
from tests.queues.restartable import RestartableRedis
from tests.support.pools import POOLS, Pool
from tests.support.waiting import wait_until


class TestDueAt:
    def test_a_distant_eta(self) -> None:
        eta = datetime.now(UTC) + timedelta(seconds=60)
        assert due_at({"headers": {"eta": eta.isoformat()}}) == pytest.approx(eta.timestamp())

    @pytest.mark.parametrize("headers", [None, {}, {"eta": None}, {"eta": "soon"}, {"eta": 5}])
    def test_without_an_eta(self, headers: dict[str, Any] | None) -> None:
        assert due_at({"headers": headers}) is None

    def test_an_eta_within_a_second_is_left_to_the_worker(self) -> None:
        assert due_at({"headers": {"eta": (datetime.now(UTC) + timedelta(seconds=0.5)).isoformat()}}) is None


class TestDueMessages:
    @pytest.fixture
    def store(self, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RestartableRedis]:
        with RestartableRedis(tmp_path_factory.mktemp("redis")) as store:
            yield store

    def test_stay_if_redis_refuses_to_write(self, store: RestartableRedis) -> None:
        members = {f"{queue}\nwakeup\nmessage": 1.0 for queue in ("first", "second")}
        with Redis.from_url(store.url, decode_responses=True) as redis:
            redis.zadd(DELAYED_KEY, members)
            redis.config_set("maxmemory", 1)
            with pytest.raises(OutOfMemoryError):
                move_due_messages(redis)
            assert redis.zrange(DELAYED_KEY, 0, -1) == list(members)
            redis.config_set("maxmemory", 0)
            move_due_messages(redis)
            assert redis.lrange("first", 0, -1) == redis.lrange("second", 0, -1) == ["message"]

    def test_that_cannot_be_moved_are_set_aside(self, store: RestartableRedis) -> None:
        with Redis.from_url(store.url, decode_responses=True) as redis:
            redis.set("taken", "by something else")
            redis.zadd(DELAYED_KEY, {"taken\nwakeup\nmessage": 1, "no message": 1})
            move_due_messages(redis)
            assert redis.exists(DELAYED_KEY) == 0
            assert redis.lrange(MALFORMED_KEY, 0, -1) == ["taken\nwakeup\nmessage", "no message"]


@pytest.mark.worker
@pytest.mark.parametrize("pool", POOLS, ids=lambda pool: pool.name)
def test_a_countdown_beyond_the_visibility_timeout_runs_once(run: Run, pool: Pool, redis: Redis, key: str) -> None:
    visibility = app.conf.broker_transport_options["visibility_timeout"]
    worker = pool.start(run, key)
    worker.wait_for("ready.")
    sent = time.time()
    for number in range(20):
        sample.mark.apply_async((key, str(number)), queue=key, countdown=2 * visibility + 1)
    with Redis.from_url(str(settings.CELERY_REDIS_URL), decode_responses=True) as broker:
        waiting = [member for member in broker.zrange(DELAYED_KEY, 0, -1) if member.startswith(key)]
        assert len(waiting) == 20
        # The prefetch window is free meanwhile.
        sample.mark.apply_async((key, "at once"), queue=key)
        wait_until(lambda: redis.lrange(key, 0, -1) == ["at once"])
        wait_until(lambda: redis.llen(key) == 21)
        late = time.time() - sent - (2 * visibility + 1)
    assert 0 <= late < 10
    assert worker.stop() == 0
    assert worker.output.count("sample.mark") - worker.output.count("  . sample.mark") == 2 * 21  # received, succeeded
    assert redis.llen(key) == 21
