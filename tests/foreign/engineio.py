from tests.foreign.internal import Internal

OVERRIDES = ("src/websockets/engine/overrides.py",)
DELIVERY = ("src/websockets/engine/delivery.py",)
SERVER = "engineio.async_server:AsyncServer"
SOCKET = "engineio.async_socket:AsyncSocket"
WEBSOCKET = "engineio.async_drivers.asgi:WebSocket"
LOOPS = "Our loops serve the websocket; Engine.IO's start several tasks for each packet."
ABORT = "Aborts Engine.IO's loops, which serve clients that polled first."
QUEUES = "Queues packets without a task, and limits the queue."

INTERNALS = [
    Internal(SERVER, "_async", "The driver's table of classes: the only way to replace its websocket.", OVERRIDES),
    Internal("engineio.async_drivers.asgi", "_async", "The table to change.", OVERRIDES),
    Internal(SERVER, "sockets", "The open transports.", OVERRIDES),
    Internal(SERVER, "handlers", "The server's callback for messages.", OVERRIDES),
    Internal(SERVER, "service_task_handle", "None until the first client; `shutdown` fails then.", OVERRIDES),
    Internal(
        SERVER,
        "create_queue",
        "Overridden: a queue that knows its size in bytes.",
        OVERRIDES,
        "(self, *args, **kwargs)",
    ),
    Internal(
        SERVER,
        "start_background_task",
        "Overridden: keeps the task of a socket's next ping, to cancel it.",
        OVERRIDES,
        "(self, target, *args, **kwargs)",
    ),
    Internal(
        SERVER,
        "_trigger_event",
        "Overridden: calls the server's callback for messages directly.",
        OVERRIDES,
        "(self, event, *args, **kwargs)",
    ),
    Internal(SERVER, "send_packet", f"Overridden: {QUEUES[0].lower()}{QUEUES[1:]}", OVERRIDES, "(self, sid, pkt)"),
    Internal(
        SOCKET,
        "_websocket_handler",
        "Tells Engine.IO's own loops from those that the Admin UI instruments.",
        OVERRIDES,
        "(self, ws)",
    ),
    Internal(
        SOCKET,
        "handle_post_request",
        "Replaced on each socket: invalid requests are answered with 400 and close the transport.",
        OVERRIDES,
        "(self, environ)",
    ),
    Internal(
        SOCKET,
        "handle_get_request",
        "Replaced on each socket: keeps the connection, to abort it if its client does not read.",
        OVERRIDES,
        "(self, environ)",
    ),
    Internal(
        "engineio.payload:Payload",
        "max_decode_packets",
        "Raised to the burst of the limits; documented, but one for the whole process.",
        OVERRIDES,
    ),
    Internal(SOCKET, "connected", LOOPS, OVERRIDES),
    Internal(SOCKET, "upgraded", LOOPS, OVERRIDES),
    Internal(SOCKET, "upgrading", "Reset after an invalid packet: Engine.IO would answer no poll again.", OVERRIDES),
    Internal(SOCKET, "receive", LOOPS, OVERRIDES, "(self, pkt)"),
    Internal(SOCKET, "queue", QUEUES, OVERRIDES),
    Internal(SOCKET, "closed", "Nothing is queued for a transport that is closed.", OVERRIDES),
    Internal(SOCKET, "closing", "Nothing is queued for a transport that is being closed.", OVERRIDES),
    Internal(
        SOCKET,
        "close",
        "Runs the disconnect handlers, without waiting for the client.",
        OVERRIDES,
        "(self, wait=True, abort=False, reason=None)",
    ),
    Internal(
        WEBSOCKET,
        "__init__",
        "Overridden: takes the socket from the bound handler.",
        OVERRIDES,
        "(self, handler, server)",
    ),
    Internal(WEBSOCKET, "__call__", f"Overridden. {LOOPS}", OVERRIDES, "(self, environ)"),
    Internal(WEBSOCKET, "handler", LOOPS, OVERRIDES),
    Internal(WEBSOCKET, "asgi_receive", LOOPS, OVERRIDES),
    Internal(WEBSOCKET, "asgi_send", LOOPS, OVERRIDES),
    Internal(WEBSOCKET, "wait", f"Overridden. {ABORT}", OVERRIDES, "(self)"),
    Internal(WEBSOCKET, "send", f"Overridden. {ABORT}", OVERRIDES, "(self, message)"),
    Internal(WEBSOCKET, "close", "Overridden: waits a second at most.", OVERRIDES, "(self)"),
    Internal(
        "engineio.packet:Packet",
        "__init__",
        "Encodes events once for all recipients.",
        OVERRIDES,
        "(self, packet_type=6, data=None, encoded_packet=None)",
    ),
    Internal("engineio.packet:Packet", "data", "The text to append an offset to.", DELIVERY),
    Internal(
        "engineio.packet:Packet", "encode", LOOPS, ("src/websockets/engine/websocket_loops.py",), "(self, b64=False)"
    ),
    Internal("engineio.packet:Packet", "binary", LOOPS, ("src/websockets/engine/websocket_loops.py",)),
]
