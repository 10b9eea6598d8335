"""A Redis broker transport with fewer round trips than kombu's own; both can share queues.

    send      LPUSH message + NOTIFY → list of the queue, wake-up key of the queue
    delay     a message with an eta waits in the sorted set `_kombu.delayed`; workers move what is due, once a second
    fetch     BRPOP wake-up key (1 s at most), then FETCH: pop up to the prefetch window and record each message as
              unacknowledged, in one atomic script
    ack       collected per turn of the worker's hub, sent as one command
    lost      messages unacknowledged for longer than the visibility timeout return to their queue

`transport.py` sends and fetches with the scripts of `scripts.py`, `qos.py` acknowledges and restores. Whatever the
transport, `delayed.py` moves due messages, `consumer.py` keeps dead letters, and `sentinel.py` follows the master. Keys
and their contents are kombu's own, except the wake-up keys and the sorted set. Public: `use_transports`.
"""

from kombu.transport import TRANSPORT_ALIASES

BULK_TRANSPORT = "src.queues.broker.transport:BulkTransport"
BULK_SENTINEL_TRANSPORT = "src.queues.broker.transport:BulkSentinelTransport"
SENTINEL_TRANSPORT = "src.queues.broker.sentinel:SentinelTransport"


def use_transports(*, bulk: bool) -> None:
    """Choose the transports of `redis`, `rediss` and `sentinel` URLs in this process, and of no other broker.

    The scheme stays in the URL, so kombu sets up TLS as ever, and monitors such as Flower recognise the broker.

    Args:
        bulk: Whether to use the bulk transport instead of kombu's.
    """
    TRANSPORT_ALIASES["sentinel"] = BULK_SENTINEL_TRANSPORT if bulk else SENTINEL_TRANSPORT
    if bulk:
        TRANSPORT_ALIASES.update(redis=BULK_TRANSPORT, rediss=BULK_TRANSPORT)
