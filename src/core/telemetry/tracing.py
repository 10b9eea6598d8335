"""Switches tracing on; importing this needs the extra `otel`."""

from typing import Any

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.celery import CeleryInstrumentor
from opentelemetry.instrumentation.pymongo import PymongoInstrumentor
from opentelemetry.instrumentation.redis import RedisInstrumentor
from opentelemetry.instrumentation.sqlalchemy import SQLAlchemyInstrumentor
from opentelemetry.instrumentation.urllib3 import URLLib3Instrumentor
from opentelemetry.sdk.resources import SERVICE_NAME, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import Decision, ParentBased, SamplingResult, TraceIdRatioBased
from opentelemetry.trace import SpanKind

from src.core import logging
from src.core.tasks.info import HOUSEKEEPING
from src.core.telemetry import spans

INSTRUMENTORS = CeleryInstrumentor, PymongoInstrumentor, RedisInstrumentor, SQLAlchemyInstrumentor, URLLib3Instrumentor


def start_tracing(service: str, ratio: float) -> None:
    """Trace this process, and send the spans by OTLP to where `OTEL_EXPORTER_OTLP_ENDPOINT` says."""
    resource = Resource.create({SERVICE_NAME: service}).merge(OTELResourceDetector().detect())
    provider = TracerProvider(sampler=ParentBased(_Roots(ratio)), resource=resource)
    provider.add_span_processor(_WithoutQueries())
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    for instrumentor in INSTRUMENTORS:
        # SQLAlchemy 2.1 is newer than the range that its instrumentation names, and works (the tests show it).
        instrumentor().instrument(skip_dep_check=True)
    spans.use_tracer(trace.get_tracer("src"))
    logging.trace_fields = spans.log_fields


class _Roots(TraceIdRatioBased):
    """Begins a trace for what somebody asked for: not for polls of a queue, and not for housekeeping."""

    def should_sample(
        self, parent_context: Any, trace_id: int, name: str, kind: Any = None, *more: Any, **named: Any
    ) -> SamplingResult:
        """Decide on a span without a parent."""
        if kind in (None, SpanKind.CLIENT, SpanKind.INTERNAL) or name.rpartition("/")[2] in HOUSEKEEPING:
            return SamplingResult(Decision.DROP)
        return super().should_sample(parent_context, trace_id, name, kind, *more, **named)


class _WithoutQueries(SpanProcessor):
    """Removes the query string of requests, which may hold secrets and searches; the log has none either."""

    def on_start(self, span: Any, parent_context: Any = None) -> None:
        """Replace it when the span starts."""
        if "url.query" in (span.attributes or ()):
            span.set_attribute("url.query", "")
