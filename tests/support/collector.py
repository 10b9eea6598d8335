"""A collector of OpenTelemetry, which receives the spans of other processes by OTLP over HTTP."""

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True)
class Span:
    """A span that a process has ended."""

    trace: str
    name: str
    service: str
    attributes: dict[str, Any]


class Collector:
    """The spans received so far, and the variables for processes that send here."""

    def __init__(self, port: int) -> None:
        self.spans: list[Span] = []
        self.environment = {
            "TRACING_ENABLED": "true",
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}",
            "OTEL_BSP_SCHEDULE_DELAY": "50",
        }

    def names(self, trace: str) -> dict[str, set[str]]:
        """The names of a trace's spans, by service."""
        found: dict[str, set[str]] = {}
        for span in self.spans:
            if span.trace == trace:
                found.setdefault(span.service, set()).add(span.name)
        return found

    def named(self, name: str) -> list[Span]:
        """The spans of this name."""
        return [span for span in self.spans if span.name == name]

    def has(self, trace: str, ending: str) -> bool:
        """Whether a trace has a span whose name ends like this."""
        return any(span.trace == trace and span.name.endswith(ending) for span in self.spans)

    def receive(self, body: bytes) -> None:
        """Keep the spans of an OTLP request."""
        for of_resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            resource = {each.key: each.value.string_value for each in of_resource.resource.attributes}
            for of_scope in of_resource.scope_spans:
                for span in of_scope.spans:
                    attributes = {each.key: each.value.string_value for each in span.attributes}
                    self.spans.append(Span(span.trace_id.hex(), span.name, resource["service.name"], attributes))


@contextmanager
def collecting() -> Iterator[Collector]:
    """Run a collector on a free port during the block."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            collector.receive(gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name in the base class
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        collector = Collector(server.server_address[1])
        Thread(target=server.serve_forever, daemon=True).start()
        yield collector
        server.shutdown()
