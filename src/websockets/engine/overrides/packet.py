from types import SimpleNamespace

from engineio import json as engine_json
from socketio.packet import Packet

from src.utils.wire import dumps


class StrictPacket(Packet):  # type: ignore[misc]  # its base is untyped
    """python-socketio writes NaN and infinities, which are not JSON: clients cannot parse the packet."""

    json = SimpleNamespace(dumps=dumps, loads=engine_json.loads)
