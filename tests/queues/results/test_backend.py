"""Results are never overwritten by stale ones, in a batch or in Redis."""

import pytest
from celery import states

from src.queues.app import app
from src.queues.results.backend import Result, newest_by_key


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


def stored(key: str, *states_in_order: str) -> str:
    """Store these states in order; returns the one that remains."""
    for state in states_in_order:
        app.backend.store_result(key, ValueError("it") if state in states.EXCEPTION_STATES else None, state)
    return str(app.backend.get_task_meta(key, cache=False)["status"])
