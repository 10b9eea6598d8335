from tests.foreign.internal import Internal

OVERRIDES = ("src/websockets/engine/overrides.py",)
SERVER = "socketio.async_server:AsyncServer"
MANAGER = "socketio.async_manager:AsyncManager"
PUBSUB = "socketio.async_pubsub_manager:AsyncPubSubManager"
BASE = "socketio.base_manager:BaseManager"

INTERNALS = [
    Internal(SERVER, "_engineio_server_class", "Overridden: our engine.", OVERRIDES, "(self)"),
    Internal(
        SERVER,
        "_handle_eio_connect",
        "Overridden: limits unauthenticated transports.",
        OVERRIDES,
        "(self, eio_sid, environ)",
    ),
    Internal(
        SERVER,
        "_handle_eio_disconnect",
        "Overridden: frees what belongs to the transport.",
        OVERRIDES,
        "(self, eio_sid, reason)",
    ),
    Internal(
        SERVER,
        "_handle_eio_message",
        "Overridden: drops clients that break the protocol.",
        OVERRIDES,
        "(self, eio_sid, data)",
    ),
    Internal(
        SERVER,
        "_handle_connect",
        "Replaced: rate limit, identity and session recovery.",
        OVERRIDES,
        "(self, eio_sid, namespace, data)",
    ),
    Internal(
        SERVER,
        "_handle_disconnect",
        "Overridden: saves the session for recovery.",
        OVERRIDES,
        "(self, eio_sid, namespace, reason=None)",
    ),
    Internal(
        SERVER,
        "_handle_event",
        "Replaced: rate limit and limited concurrency.",
        OVERRIDES,
        "(self, eio_sid, namespace, id, data)",
    ),
    Internal(
        SERVER,
        "_handle_event_internal",
        "Runs an event's handler, and acknowledges.",
        OVERRIDES,
        "(self, server, sid, eio_sid, data, namespace, id)",
    ),
    Internal(SERVER, "_trigger_event", "Runs the connect handler.", OVERRIDES, "(self, event, namespace, *args)"),
    Internal(
        SERVER, "_send_packet", "Overridden: queues a packet with its attachments.", OVERRIDES, "(self, eio_sid, pkt)"
    ),
    Internal(
        SERVER,
        "_binary_packet",
        "Events that wait for attachments: to limit their number, and to free them.",
        OVERRIDES,
    ),
    Internal(SERVER, "environ", "The handshakes by transport.", OVERRIDES),
    Internal(SERVER, "handlers", "Namespaces with handlers.", OVERRIDES),
    Internal(SERVER, "namespace_handlers", "Namespaces with a class of handlers.", OVERRIDES),
    Internal(SERVER, "namespaces", "Namespaces that clients may connect to without handlers.", OVERRIDES),
    Internal(SERVER, "reserved_events", "Events that clients must not send.", OVERRIDES),
    Internal(SERVER, "packet_class", "Packets in the server's serialization.", OVERRIDES),
    Internal(SERVER, "eio", "Our engine.", OVERRIDES),
    Internal("socketio.packet:Packet", "json", "Replaced: NaN and infinities become null.", OVERRIDES),
    Internal("socketio.packet:Packet", "attachment_count", "Limits the attachments of an event.", OVERRIDES),
    Internal(
        "socketio.packet:Packet",
        "encode",
        "Encodes an event once for all recipients.",
        ("src/websockets/engine/delivery.py",),
        "(self)",
    ),
    Internal(
        "socketio.packet:Packet",
        "data_is_binary",
        "Messages to other processes, as python-socketio writes them.",
        ("src/core/realtime/event_bus.py",),
        "(data)",
    ),
    Internal(
        "socketio.packet:Packet",
        "deconstruct_binary",
        "Messages to other processes, as python-socketio writes them.",
        ("src/core/realtime/event_bus.py",),
        "(data)",
    ),
    Internal(
        "socketio.packet:Packet",
        "reconstruct_binary",
        "Messages of other processes.",
        ("src/core/realtime/event_bus.py",),
        "(data, attachments)",
    ),
    Internal(
        MANAGER,
        "emit",
        "Overridden: delivers without a task for each recipient.",
        OVERRIDES,
        "(self, event, data, namespace, room=None, skip_sid=None, callback=None, to=None, **kwargs)",
    ),
    Internal(
        MANAGER,
        "pre_connect",
        "Overridden: a recovered session keeps its session id.",
        OVERRIDES,
        "(self, eio_sid, namespace)",
    ),
    Internal(
        MANAGER, "connect", "Accepts a client whose connect handler has returned.", OVERRIDES, "(self, sid, namespace)"
    ),
    Internal(
        MANAGER, "disconnect", "Forgets a client that was refused.", OVERRIDES, "(self, sid, namespace, **kwargs)"
    ),
    Internal(BASE, "pending_connect", "Clients whose connect handler still runs.", OVERRIDES),
    Internal(BASE, "rooms", "Namespaces with clients.", OVERRIDES),
    Internal(
        BASE,
        "basic_enter_room",
        "Overridden: recovery records the time.",
        OVERRIDES,
        "(self, sid, namespace, room, eio_sid=None)",
    ),
    Internal(
        BASE, "basic_leave_room", "Overridden: recovery forgets the room.", OVERRIDES, "(self, sid, namespace, room)"
    ),
    Internal(
        BASE,
        "basic_disconnect",
        "Overridden: forgets the session before its rooms are left.",
        OVERRIDES,
        "(self, sid, namespace, **kwargs)",
    ),
    Internal(
        BASE, "sid_from_eio_sid", "The client of a transport in a namespace.", OVERRIDES, "(self, eio_sid, namespace)"
    ),
    Internal(BASE, "eio_sid_from_sid", "The transport of a client.", OVERRIDES, "(self, sid, namespace)"),
    Internal(BASE, "get_participants", "The clients of a room.", OVERRIDES, "(self, namespace, room)"),
    Internal(BASE, "get_namespaces", "Namespaces with clients.", ("src/websockets/engine/clients.py",), "(self)"),
    Internal(
        BASE,
        "is_connected",
        "Whether the connect handler has accepted the client.",
        OVERRIDES,
        "(self, sid, namespace)",
    ),
    Internal(BASE, "initialize", "Overridden: from now on events of other processes are needed.", OVERRIDES, "(self)"),
    Internal(
        PUBSUB,
        "emit",
        "Overridden: messages with offsets, published within a second.",
        OVERRIDES,
        "(self, event, data, namespace=None, room=None, skip_sid=None, callback=None, to=None, **kwargs)",
    ),
    Internal(PUBSUB, "_publish", "Left to subclasses.", OVERRIDES, "(self, data)"),
    Internal(PUBSUB, "_listen", "Left to subclasses.", OVERRIDES, "(self)"),
    Internal(PUBSUB, "_handle_emit", "Overridden: delivers with offsets.", OVERRIDES, "(self, message)"),
    Internal(PUBSUB, "host_id", "Replaced by the id of the bus, which builds messages.", OVERRIDES),
    Internal(PUBSUB, "thread", "The task that listens: cancelled at shutdown.", OVERRIDES),
    Internal(PUBSUB, "json", "Decodes messages of other processes.", OVERRIDES),
]
