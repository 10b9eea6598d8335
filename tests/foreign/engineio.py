from tests.foreign.internal import Internal

ENGINE_FILE = ("src/websockets/engine/overrides/engine.py",)
ENVIRON_FILE = ("src/websockets/engine/overrides/environ.py",)
WEBSOCKET_FILE = ("src/websockets/engine/overrides/websocket.py",)
LIMITED_SERVER_FILE = ("src/websockets/engine/overrides/limited_server.py",)
SERVER_FILE = ("src/websockets/engine/overrides/server.py",)
LOOPS_FILE = ("src/websockets/engine/websocket_loops.py",)
DELIVERY_FILE = ("src/websockets/engine/delivery.py",)
SERVER = "engineio.async_server:AsyncServer"
SOCKET = "engineio.async_socket:AsyncSocket"
WEBSOCKET = "engineio.async_drivers.asgi:WebSocket"
LOOPS = "Our loops serve the websocket; Engine.IO's start several tasks for each packet."
ABORT = "Aborts Engine.IO's loops, which serve clients that polled first."
QUEUES = "Queues packets without a task, and limits the queue."

INTERNALS = [
    Internal(SERVER, "_async", "The driver's table of classes: the only way to replace its websocket.", ENGINE_FILE),
    Internal("engineio.async_drivers.asgi", "_async", "The table to change.", ENGINE_FILE),
    Internal(
        "engineio.async_drivers.asgi",
        "translate_request",
        "Replaced: it defines a class for each request, which only the garbage collector frees.",
        ENVIRON_FILE,
        "(scope, receive, send)",
    ),
    Internal(SERVER, "sockets", "The open transports.", (*ENGINE_FILE, *LIMITED_SERVER_FILE, *SERVER_FILE)),
    Internal(SERVER, "handlers", "The server's callback for messages.", ENGINE_FILE),
    Internal(SERVER, "service_task_handle", "None until the first client; `shutdown` fails then.", SERVER_FILE),
    Internal(
        SERVER,
        "create_queue",
        "Overridden: a queue that knows its size in bytes.",
        ENGINE_FILE,
        "(self, *args, **kwargs)",
    ),
    Internal(
        SERVER,
        "start_background_task",
        "Overridden: keeps the task of a socket's next ping, to cancel it.",
        ENGINE_FILE,
        "(self, target, *args, **kwargs)",
    ),
    Internal(
        SERVER,
        "_trigger_event",
        "Overridden: calls the server's callback for messages directly.",
        ENGINE_FILE,
        "(self, event, *args, **kwargs)",
    ),
    Internal(SERVER, "send_packet", f"Overridden: {QUEUES[0].lower()}{QUEUES[1:]}", ENGINE_FILE, "(self, sid, pkt)"),
    Internal(
        SOCKET,
        "_websocket_handler",
        "Tells Engine.IO's own loops from those that the Admin UI instruments.",
        WEBSOCKET_FILE,
        "(self, ws)",
    ),
    Internal(
        SOCKET,
        "handle_post_request",
        "Replaced on each socket: invalid requests are answered with 400 and close the transport.",
        ENGINE_FILE,
        "(self, environ)",
    ),
    Internal(
        SOCKET,
        "handle_get_request",
        "Replaced on each socket: keeps the connection, to abort it if its client does not read.",
        ENGINE_FILE,
        "(self, environ)",
    ),
    Internal(
        "engineio.payload:Payload",
        "max_decode_packets",
        "Raised to the burst of the limits; documented, but one for the whole process.",
        LIMITED_SERVER_FILE,
    ),
    Internal(SOCKET, "connected", LOOPS, WEBSOCKET_FILE),
    Internal(SOCKET, "upgraded", LOOPS, (*ENGINE_FILE, *LIMITED_SERVER_FILE, *WEBSOCKET_FILE)),
    Internal(
        SOCKET, "upgrading", "Reset after an invalid packet: Engine.IO would answer no poll again.", WEBSOCKET_FILE
    ),
    Internal(SOCKET, "receive", LOOPS, WEBSOCKET_FILE, "(self, pkt)"),
    Internal(SOCKET, "queue", QUEUES, (*ENGINE_FILE, *WEBSOCKET_FILE)),
    Internal(SOCKET, "closed", "Nothing is queued for a transport that is closed.", ENGINE_FILE),
    Internal(SOCKET, "closing", "Nothing is queued for a transport that is being closed.", ENGINE_FILE),
    Internal(
        SOCKET,
        "close",
        "Runs the disconnect handlers, without waiting for the client.",
        (*ENGINE_FILE, *WEBSOCKET_FILE),
        "(self, wait=True, abort=False, reason=None)",
    ),
    Internal(
        WEBSOCKET,
        "__init__",
        "Overridden: takes the socket from the bound handler.",
        WEBSOCKET_FILE,
        "(self, handler, server)",
    ),
    Internal(WEBSOCKET, "__call__", f"Overridden. {LOOPS}", WEBSOCKET_FILE, "(self, environ)"),
    Internal(WEBSOCKET, "handler", LOOPS, WEBSOCKET_FILE),
    Internal(WEBSOCKET, "asgi_receive", LOOPS, WEBSOCKET_FILE),
    Internal(WEBSOCKET, "asgi_send", LOOPS, WEBSOCKET_FILE),
    Internal(WEBSOCKET, "wait", f"Overridden. {ABORT}", WEBSOCKET_FILE, "(self)"),
    Internal(WEBSOCKET, "send", f"Overridden. {ABORT}", WEBSOCKET_FILE, "(self, message)"),
    Internal(WEBSOCKET, "close", "Overridden: waits a second at most.", WEBSOCKET_FILE, "(self)"),
    Internal(
        "engineio.packet:Packet",
        "__init__",
        "Encodes events once for all recipients.",
        (*DELIVERY_FILE, *WEBSOCKET_FILE),
        "(self, packet_type=6, data=None, encoded_packet=None)",
    ),
    Internal("engineio.packet:Packet", "data", "The text to append an offset to.", DELIVERY_FILE),
    Internal("engineio.packet:Packet", "encode", LOOPS, LOOPS_FILE, "(self, b64=False)"),
    Internal("engineio.packet:Packet", "binary", LOOPS, LOOPS_FILE),
]
