"""What operators see of the sockets at `/metrics`."""

from prometheus_client import Counter, Gauge, Histogram

EVENT_SECONDS = Histogram(
    "socketio_event_seconds",
    "Time that events took, with the code of their error or 0.",
    ["event", "code"],
    buckets=(0.001, 0.005, 0.025, 0.1, 0.5, 2.5),
)
CLIENTS = Gauge("socketio_clients", "Transports that are open.")
REFUSED = Counter("socketio_refused_events", "Events that a limit refused.")
DROPPED = Counter("socketio_dropped_clients", "Clients that were dropped.", ["reason"])
PUBLISH_FAILURES = Counter("socketio_publish_failures", "Messages to other processes that Redis did not take in time.")
