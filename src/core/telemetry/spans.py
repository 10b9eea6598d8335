"""Spans of our own, and the trace context that travels with messages.

While tracing is off, each function returns at once. OpenTelemetry's API is a dependency of FastAPI; its SDK is not used
here.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

from opentelemetry import context, propagate, trace
from opentelemetry.trace import SpanKind, Tracer

_NOTHING: AbstractContextManager[Any] = nullcontext()
_tracer: Tracer | None = None


def use_tracer(tracer: Tracer | None) -> None:
    """Switch spans on, or off."""
    global _tracer
    _tracer = tracer


def is_tracing() -> bool:
    """Whether tracing is on."""
    return _tracer is not None


def event_span(name: str) -> AbstractContextManager[Any]:
    """A span of an event from a client, which begins a trace."""
    if _tracer is None:
        return _NOTHING
    return _tracer.start_as_current_span(f"event {name}", context.Context(), SpanKind.SERVER)


def emit_span(name: str) -> AbstractContextManager[Any]:
    """A span of an event to clients."""
    return _NOTHING if _tracer is None else _tracer.start_as_current_span(f"emit {name}", kind=SpanKind.PRODUCER)


def name_request(code: str) -> None:
    """Name the span of the current request by its permission code, which has the template of its path."""
    method, _, path = code.partition(":")
    span = trace.get_current_span()
    span.update_name(f"{method} {path}")
    span.set_attribute("http.route", path)


def current_traceparent() -> str:
    """The current trace context as a W3C `traceparent`; empty if there is none."""
    if _tracer is None:
        return ""
    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    return carrier.get("traceparent", "")


class continued(AbstractContextManager[None]):  # noqa: N801 - reads as a statement
    """During the block, spans belong to the trace of a message.

    Args:
        traceparent: Its `traceparent`; empty: nothing changes.
    """

    def __init__(self, traceparent: str) -> None:
        self._traceparent = traceparent if _tracer is not None else ""

    def __enter__(self) -> None:
        if self._traceparent:
            self._token = context.attach(propagate.extract({"traceparent": self._traceparent}))

    def __exit__(self, *_: object) -> None:
        if self._traceparent:
            context.detach(self._token)


def log_fields() -> dict[str, str]:
    """The ids of the current span, for log lines."""
    current = trace.get_current_span().get_span_context()
    if not current.is_valid:
        return {}
    return {"trace_id": trace.format_trace_id(current.trace_id), "span_id": trace.format_span_id(current.span_id)}
