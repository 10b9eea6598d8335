from tests.foreign.internal import Internal

TRANSPORT = ("src/queues/broker/transport.py",)
LETTERS = (*TRANSPORT, "src/queues/inspection/dead_letters.py")
QOS = ("src/queues/broker/qos.py",)
CHANNEL = "kombu.transport.redis:Channel"
FETCH = "The bulk transport replaces the wait for one message (BRPOP) by a wait for a wake-up and a fetch of many."

INTERNALS = [
    Internal(CHANNEL, "_brpop_start", FETCH, TRANSPORT, "(self, timeout=None)"),
    Internal(CHANNEL, "_brpop_read", FETCH, TRANSPORT, "(self, **options)"),
    Internal(CHANNEL, "_in_poll", "The connection that a fetch is under way on; the poller reads it.", TRANSPORT),
    Internal(
        CHANNEL, "_brpop_sent_at", "When the fetch was sent; kombu ends a connection that stays silent.", TRANSPORT
    ),
    Internal(CHANNEL, "_queue_cycle", "The order of queues, which a fetch follows and rotates.", TRANSPORT),
    Internal(CHANNEL, "_q_for_pri", "The key of a queue's list for one priority.", LETTERS, "(self, queue, pri)"),
    Internal(
        CHANNEL,
        "_flush_brpop_reauth",
        "Sends the credentials that were renewed during a fetch.",
        TRANSPORT,
        "(self)",
    ),
    Internal(
        CHANNEL,
        "_basic_cancel",
        "Overridden: reads the fetch that is under way when the last consumer is cancelled.",
        TRANSPORT,
        "(self, consumer_tag)",
    ),
    Internal(
        CHANNEL,
        "_put",
        "Overridden: sends the message and the wake-up in one round trip.",
        TRANSPORT,
        "(self, queue, message, **kwargs)",
    ),
    Internal(CHANNEL, "_expires", "Queues whose messages expire; kombu's own `_put` sends to those.", TRANSPORT),
    Internal(
        CHANNEL,
        "_get_message_priority",
        "The priority that `_put` chooses the list by.",
        LETTERS,
        "(self, message, reverse=False)",
    ),
    Internal(
        CHANNEL,
        "_create_client",
        "Creates the one client that the channel keeps.",
        TRANSPORT,
        "(self, asynchronous=False)",
    ),
    Internal(CHANNEL, "_disconnect_pools", "Overridden: drops the client with its pool.", TRANSPORT, "(self)"),
    Internal(
        CHANNEL,
        "conn_or_acquire",
        "Overridden: hands out the one client instead of a new one for each command.",
        TRANSPORT,
        "(self, client=None)",
    ),
    Internal(
        "kombu.transport.redis:Transport",
        "_deliver",
        "Hands a fetched message to its consumer.",
        TRANSPORT,
        "(self, message, queue)",
    ),
    Internal(
        "kombu.transport.redis:MultiChannelPoller",
        "_channels",
        "The channels whose acknowledgements are sent before the poller waits.",
        TRANSPORT,
    ),
    Internal(
        "kombu.transport.redis:MultiChannelPoller",
        "on_poll_start",
        "Overridden: sends acknowledgements once for each turn of the hub.",
        TRANSPORT,
        "(self)",
    ),
    Internal(
        "kombu.transport.redis:QoS",
        "append",
        "Overridden: a fetched message is already recorded as unacknowledged.",
        QOS,
        "(self, message, delivery_tag)",
    ),
    Internal(
        "kombu.transport.redis:QoS",
        "ack",
        "Overridden: collects acknowledgements.",
        QOS,
        "(self, delivery_tag)",
    ),
    Internal(
        "kombu.transport.redis:QoS",
        "pipe_or_acquire",
        "The pipeline that acknowledgements are sent with.",
        QOS,
        "(self, pipe=None, client=None)",
    ),
    Internal(
        "kombu.transport.redis:QoS",
        "restore_by_tag",
        "Overridden: sets aside a message that cannot be read.",
        QOS,
        "(self, tag, client=None, leftmost=False)",
    ),
    Internal(
        "kombu.transport.redis:QoS",
        "restore_visible",
        "Overridden: takes kombu's lock only when a message has timed out.",
        QOS,
        "(self, start=0, num=10, interval=10)",
    ),
    Internal(
        "kombu.transport.redis:QoS",
        "restore_unacked_once",
        "Overridden: sends acknowledgements before the rest goes back to its queue, even if there is no rest.",
        QOS,
        "(self, stderr=None)",
    ),
]
