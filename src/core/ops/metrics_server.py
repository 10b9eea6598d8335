"""Serves the metrics of a process without an HTTP server of its own, such as a worker or beat."""

import threading
from collections.abc import Callable, Iterable
from hmac import compare_digest
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import structlog
from prometheus_client import make_wsgi_app

log = structlog.get_logger(__name__)


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Handler(WSGIRequestHandler):
    timeout = 5  # seconds without a byte, after which a connection is closed

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name in the base class
        """Log nothing: a scrape is no news."""


def serve_metrics(port: int, token: str | None = None, refresh: Callable[[], None] = lambda: None) -> _Server | None:
    """Serve `/metrics` on all interfaces from a thread, for as long as the process lives.

    A port that is taken is logged, and the process goes on without it.

    Args:
        port: The TCP port.
        token: What scrapers must send as bearer token; None: nothing.
        refresh: Called before each scrape.

    Returns:
        The server; None if the port is taken.
    """
    metrics: Any = make_wsgi_app()

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        given = environ.get("HTTP_AUTHORIZATION", "").encode("latin-1")
        if environ["PATH_INFO"] != "/metrics":
            status = "404 Not Found"
        elif token is not None and not compare_digest(given, f"Bearer {token}".encode()):
            status = "401 Unauthorized"
        else:
            refresh()
            served: Iterable[bytes] = metrics(environ, start_response)
            return served
        start_response(status, [("Content-Type", "text/plain"), ("WWW-Authenticate", "Bearer")])
        return [status.encode()]

    try:
        server = make_server("", port, application, server_class=_Server, handler_class=_Handler)
    except OSError as error:
        log.error("metrics_not_served", port=port, reason=str(error))
        return None
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    return server
