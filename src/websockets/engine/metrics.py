"""Prometheus metrics of the Socket.IO server."""

from prometheus_client import Counter, Gauge, Histogram

EVENT_SECONDS = Histogram(
    "socketio_event_seconds",
    "Duration of events; `code` is that of the error, or 0.",
    ["event", "code"],
    buckets=(0.001, 0.005, 0.025, 0.1, 0.5, 2.5),
)
CLIENTS = Gauge("socketio_clients", "Open transports.")
REFUSED = Counter("socketio_refused_events", "Events rejected by the rate limit.")
DROPPED = Counter("socketio_dropped_clients", "Clients dropped by the server.", ["reason"])
PUBLISH_FAILURES = Counter("socketio_publish_failures", "Messages to other processes that failed.")
INVALID_MESSAGES = Counter("socketio_invalid_messages_total", "Messages in Redis that are none of ours.")
