"""A Redis broker transport with fewer round trips than kombu's own; both can share queues.

    send      LPUSH message + NOTIFY → list of the queue, wake-up key of the queue
    delay     a message with an eta waits in the sorted set `_kombu.delayed`; workers move what is due, once a second
    fetch     BRPOP wake-up key (1 s at most), then FETCH: pop up to the prefetch window and record each message as
              unacknowledged, in one atomic script
    ack       collected per turn of the worker's hub, sent as one command
    lost      messages unacknowledged for longer than the visibility timeout return to their queue

`transport.py` sends and fetches, `qos.py` acknowledges and restores. Whatever the transport, `delayed.py` moves due
messages and `consumer.py` keeps dead letters. Keys and their contents are kombu's own, except the wake-up keys and the
sorted set. Public: `BulkTransport` in `transport.py`, which `use_bulk_transport` makes the transport of Redis URLs
(`CELERY_BULK_TRANSPORT`).
"""

from kombu.transport import TRANSPORT_ALIASES

BULK_TRANSPORT = "src.queues.broker.transport:BulkTransport"
BULK_SENTINEL_TRANSPORT = "src.queues.broker.transport:BulkSentinelTransport"


def use_bulk_transport() -> None:
    """Use the bulk transport for `redis`, `rediss` and `sentinel` URLs in this process, and for no other broker.

    The scheme stays in the URL, so kombu sets up TLS as ever, and monitors such as Flower recognise the broker.
    """
    TRANSPORT_ALIASES.update(redis=BULK_TRANSPORT, rediss=BULK_TRANSPORT, sentinel=BULK_SENTINEL_TRANSPORT)
