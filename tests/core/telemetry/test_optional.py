"""Telemetry is optional: off, its libraries are not imported; without them, the settings say what to install."""

import json
import sys

import pytest
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace import SpanKind

from src.core import telemetry
from src.core.config import Settings
from src.core.config.base import ConfigurationError
from src.core.effects import TaskCall
from src.core.telemetry import spans, start_telemetry, tracing
from tests.support.fork_server import run_python

# Where the SDK is installed, redis-py imports its metrics.
OPTIONAL = "opentelemetry.sdk.trace", "opentelemetry.exporter", "opentelemetry.instrumentation", "sentry_sdk"
IMPORTED = f"""
import sys, src.main, src.queues.app, src.queues.scheduler
print([name for name in sys.modules if name.startswith({OPTIONAL!r})])
"""
REPORTING = """
import json, logging, sentry_sdk, structlog
from functools import partial
from src.core.config import settings
from src.core.logging import configure_logging, request_id
from src.core.telemetry.sentry import start_sentry

class Transport(sentry_sdk.transport.Transport):
    def capture_envelope(self, envelope):
        event = envelope.get_event()
        first = event.get("exception", {}).get("values", [{}])[0]
        text = event.get("message") or event.get("logentry", {}).get("message")
        print(json.dumps([text, first.get("type"), event.get("tags", {}).get("request_id"), "hunter2" in str(event)]))

sentry_sdk.init = partial(sentry_sdk.init, transport=Transport)
configure_logging(settings)
start_sentry("https://key@example.com/1", settings)
request_id.set("the-request")
log = structlog.get_logger("a")
log.info("fine")
log.warning("store_unavailable")
log.error("audit_lost", password="hunter2")
try:
    secret = "hunter2"
    raise LookupError
except LookupError:
    log.exception("unexpected_error")
logging.getLogger("celery").error("Task raised", exc_info=ValueError("in a task"))
"""


def output_of(code: str) -> str:
    """What a Python process prints that imports this code, with the stores of the tests."""
    ended = run_python("-c", code)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


class TestOff:
    @pytest.mark.slow
    def test_nothing_of_it_is_imported(self) -> None:
        assert output_of(IMPORTED).splitlines()[-1] == "[]"

    def test_messages_carry_no_trace(self) -> None:
        assert TaskCall("a").traceparent == ""
        assert spans.emit_span("a") is spans.event_span("b")

    def test_a_message_with_a_trace_changes_nothing(self) -> None:
        with spans.continued("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"):
            assert spans.log_fields() == {}


@pytest.mark.parametrize("setting", ["TRACING_ENABLED", "SENTRY_DSN"])
def test_without_its_extra_a_setting_says_what_to_install(setting: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(setting, "true")
    for module in ("tracing", "sentry"):
        monkeypatch.setitem(sys.modules, f"{telemetry.__name__}.{module}", None)
    with pytest.raises(ConfigurationError, match=rf"{setting} needs an extra: pip install"):
        start_telemetry(Settings(), "api")


class TestRoots:
    @pytest.mark.parametrize(
        ("name", "kind", "decision"),
        [
            ("GET", SpanKind.SERVER, Decision.RECORD_AND_SAMPLE),
            ("run/notices.expire", SpanKind.CONSUMER, Decision.RECORD_AND_SAMPLE),
            ("run/outbox.relay", SpanKind.CONSUMER, Decision.DROP),
            ("apply_async/tasks.record", SpanKind.PRODUCER, Decision.DROP),
            ("BRPOP", SpanKind.CLIENT, Decision.DROP),
        ],
    )
    def test_traces_begin_with_what_somebody_asked_for(self, name: str, kind: SpanKind, decision: Decision) -> None:
        assert tracing._Roots(1).should_sample(None, 1, name, kind).decision is decision


class TestSentry:
    @pytest.mark.slow
    def test_gets_errors_of_our_loggers_and_of_libraries_without_secrets(self) -> None:
        lines = [line for line in output_of(REPORTING).splitlines() if line.startswith("[")]
        assert [json.loads(line) for line in lines] == [
            ["audit_lost", None, "the-request", False],
            [None, "LookupError", "the-request", False],
            ["Task raised", "ValueError", None, False],
        ]
