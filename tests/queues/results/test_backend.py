"""Results are never overwritten by stale ones, in a batch or in Redis."""

import pytest
from celery import states
from redis import Redis

from src.queues.app import app
from src.queues.results.backend import Result, ResultBackend, newest_by_key
from tests.queues.restartable import RestartableRedis


def result(key: str, state: str) -> Result:
    return Result(key, state, 0, state)


def test_only_the_newest_state_of_a_task_is_written() -> None:
    written = newest_by_key([result("task", "STARTED"), result("other", "STARTED"), result("task", "SUCCESS")])
    assert [(one.key, one.state) for one in written] == [("task", "SUCCESS"), ("other", "STARTED")]


@pytest.mark.parametrize("ended", ["SUCCESS", "FAILURE"])
def test_a_finished_retry_is_not_overwritten_by_the_retry_state(ended: str) -> None:
    assert newest_by_key([result("task", ended), result("task", "RETRY")]) == [result("task", ended)]


class TestInRedis:
    @pytest.mark.parametrize(
        ("stored_first", "stale"),
        [
            ("SUCCESS", "FAILURE"),
            ("SUCCESS", "STARTED"),
            ("SUCCESS", "RETRY"),
            ("FAILURE", "RETRY"),
            ("REVOKED", "RETRY"),
        ],
    )
    def test_stale_states_are_dropped(self, key: str, stored_first: str, stale: str) -> None:
        assert stored(key, stored_first, stale) == stored_first

    @pytest.mark.parametrize(
        ("stored_first", "newer"), [("FAILURE", "STARTED"), ("RETRY", "FAILURE"), ("STARTED", "RETRY")]
    )
    def test_newer_states_are_stored(self, key: str, stored_first: str, newer: str) -> None:
        assert stored(key, stored_first, newer) == newer


def test_a_redis_that_refuses_to_write_is_waited_for(
    key: str, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    reported: list[str] = []
    with RestartableRedis(tmp_path_factory.mktemp("redis")) as store, Redis.from_url(store.url) as redis:

        def free_memory(_store: str, reason: str) -> None:
            reported.append(reason)
            redis.config_set("maxmemory", 0)

        monkeypatch.setattr("src.queues.results.backend.report_outage", free_memory)
        redis.config_set("maxmemory", 1)
        ResultBackend(app=app, url=store.url).store_result(key, None, states.SUCCESS)
        assert len(reported) == 1
        assert redis.exists(f"celery-task-meta-{key}")


def stored(key: str, *states_in_order: str) -> str:
    """Store these states in order; returns the one that remains."""
    for state in states_in_order:
        app.backend.store_result(key, ValueError("it") if state in states.EXCEPTION_STATES else None, state)
    return str(app.backend.get_task_meta(key, cache=False)["status"])
