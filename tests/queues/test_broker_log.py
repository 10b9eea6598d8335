"""What a worker logs of an outage: one line at the begin, one at the end."""

import logging
from typing import Any

import pytest
from celery.exceptions import Reject
from celery.worker.consumer import consumer
from kombu.exceptions import OperationalError

from src.queues.worker import BrokerLogFilter, HousekeepingLogFilter

LOST: Any = "%s (%r)", getattr(consumer, "CONNECTION_RETRY"), OSError()  # noqa: B009 - the stubs lack it
FAILED: Any = getattr(consumer, "CONNECTION_ERROR"), "redis://", OSError(), "Trying again"  # noqa: B009 - the same
CONNECTED: Any = "Connected to %s", "redis://"
OTHER: Any = ("mingle: all alone",)


class TestAnUnavailableBroker:
    @pytest.mark.parametrize(
        ("lines", "kept"),
        [
            ([LOST, FAILED, FAILED, CONNECTED, OTHER], [LOST, CONNECTED, OTHER]),
            ([FAILED, FAILED, OTHER, FAILED, CONNECTED], [FAILED, OTHER, CONNECTED]),
            ([LOST, CONNECTED, LOST, FAILED, CONNECTED], [LOST, CONNECTED, LOST, CONNECTED]),
        ],
        ids=["lost", "down at the start", "twice"],
    )
    def test_is_two_lines_where_stores_are_not_watched(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, lines: list[Any], kept: list[Any]
    ) -> None:
        caplog.set_level(logging.INFO)  # a worker of another test has set that of this process
        monkeypatch.setattr("src.queues.worker.is_watching", lambda: False)
        log_filter = BrokerLogFilter()
        records = {
            logging.LogRecord("celery", logging.INFO, "", 0, text, tuple(args), None): (text, *args)
            for text, *args in lines
        }
        assert [line for record, line in records.items() if log_filter.filter(record)] == kept

    def test_is_reported_like_any_store_where_stores_are_watched(self, monkeypatch: pytest.MonkeyPatch) -> None:
        reported: list[tuple[str, str]] = []
        monkeypatch.setattr("src.queues.worker.report_outage", lambda *outage: reported.append(outage))
        monkeypatch.setattr("src.queues.worker.is_watching", lambda: True)
        log_filter = BrokerLogFilter()
        for text, *args in (LOST, FAILED, CONNECTED):
            record = logging.LogRecord("celery", logging.INFO, "", 0, text, tuple(args), None)
            assert not log_filter.filter(record)
        lost = "Connection to broker lost. Trying to re-establish the connection... (OSError())"
        assert reported == [("broker", lost), ("broker", "Cannot connect to redis://: ")]

    def test_is_not_logged_for_each_run_that_returns_to_its_queue(self, monkeypatch: pytest.MonkeyPatch) -> None:
        reported: list[tuple[str, str]] = []
        monkeypatch.setattr("src.queues.worker.report_outage", lambda *outage: reported.append(outage))
        kept = []
        for reason in (OperationalError("refused"), ValueError("of the task")):
            error = Reject(reason, requeue=True)
            record = logging.LogRecord("celery", logging.WARNING, "", 0, "reject", (), (Reject, error, None))
            record.data = {"name": "sample.work"}
            kept.append(HousekeepingLogFilter({"outbox.relay"}).filter(record))
        assert (kept, reported) == ([False, True], [("broker", "OperationalError: refused")])


class TestAHousekeepingTask:
    @pytest.mark.parametrize(("error", "told"), [(ConnectionRefusedError(), True), (ValueError(), False)])
    def test_that_meets_an_outage_reports_it_without_a_traceback(
        self, monkeypatch: pytest.MonkeyPatch, error: Exception, *, told: bool
    ) -> None:
        reported: list[str] = []
        monkeypatch.setattr("src.queues.worker.report_outage", lambda _store, reason: reported.append(reason))
        record = logging.LogRecord("celery", logging.ERROR, "", 0, "raised", (), (type(error), error, None))
        record.data = {"name": "outbox.relay"}
        assert HousekeepingLogFilter({"outbox.relay"}).filter(record) is not told
        assert reported == ["ConnectionRefusedError: "] * told
