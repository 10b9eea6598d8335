"""End a transport, which python-socketio leaves to the client's good will."""

import asyncio
from contextlib import suppress
from typing import Any

_DELIVERY_SECONDS = 2


async def deliver(transport: Any) -> None:
    """Wait until the client has taken what is queued for it, or has had the time to."""
    with suppress(TimeoutError):
        await asyncio.wait_for(transport.queue.join(), _DELIVERY_SECONDS)


async def close(transport: Any) -> None:
    """Close an Engine.IO socket: its disconnect handlers run, then a websocket ends and a waiting poll is answered."""
    await transport.close(wait=False)
    await transport.queue.put(None)  # ends the writer, which closes the websocket


async def abort(transport: Any) -> None:
    """Close an Engine.IO socket at once, and what it has not read with it."""
    await transport.close(wait=False, abort=True, reason=transport.server.reason.SERVER_DISCONNECT)
    transport.queue.drop()
    await transport.queue.put(None)
    if (websocket := getattr(transport, "websocket", None)) is not None:
        websocket.abort()
