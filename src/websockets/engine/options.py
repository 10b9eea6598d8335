import inspect
from collections.abc import Mapping
from typing import Any

import engineio
import socketio
from socketio.packet import Packet


def check_options(options: Mapping[str, Any], *, has_recovery: bool) -> None:
    """Refuse options of `socketio.AsyncServer` that are not supported, or unknown, which python-socketio ignores.

    Raises:
        ValueError: With the reason, and what to use instead.
    """
    known = {
        name
        for server in (socketio.AsyncServer, engineio.AsyncServer)
        for cls in server.__mro__
        for name in inspect.signature(cls).parameters
    }
    if unknown := options.keys() - known:
        raise ValueError(f"Unknown options: {', '.join(sorted(unknown))}.")
    if options.get("async_mode", "asgi") != "asgi":
        raise ValueError("async_mode is always 'asgi'.")
    if not options.get("async_handlers", True):
        raise ValueError("async_handlers=False is not supported: use ordered=True, on a router or a handler.")
    serializer = options.get("serializer", "default")
    if serializer != "default" and not (isinstance(serializer, type) and issubclass(serializer, Packet)):
        raise ValueError("serializer must be 'default' or a subclass of python-socketio's Packet that encodes text.")
    if options.get("always_connect") and has_recovery:
        raise ValueError("always_connect accepts clients before their sessions can be recovered: use one of the two.")
