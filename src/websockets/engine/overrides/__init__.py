"""Every override of python-socketio and python-engineio, and every undocumented name of theirs that we use.

The first line of each override says why the library's own does not do. Decisions are made by the other files of
`engine`; this package connects them, by one class for each of theirs:

    engineio.AsyncServer           engine.py           Engine: bounded send queues, transports that can be closed
    engineio's ASGI driver         environ.py          translate_request: the handshake, without a class for each
    engineio's ASGI WebSocket      websocket.py        WebSocket: served by WebSocketLoops, can be aborted
    socketio.packet.Packet         packet.py           StrictPacket: JSON without NaN
    socketio.AsyncManager          local_manager.py    LocalManager: rooms of this process, delivery without tasks
    socketio.AsyncPubSubManager    redis_manager.py    RedisManager: the clients of other processes
    socketio.AsyncServer           limited_server.py   LimitedServer: limits on transports, packets and events
                                   server.py           SocketIOServer: session recovery, presence, shutdown

`websockets/server.py` extends four documented methods as well: `on`, `event`, `register_namespace` and `emit`.
`tests/foreign/socketio.py` and `engineio.py` compare all names with the installed versions.
"""

from src.websockets.engine.overrides.redis_manager import RedisManager
from src.websockets.engine.overrides.server import SocketIOServer

__all__ = ["RedisManager", "SocketIOServer"]
