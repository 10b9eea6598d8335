"""The connected clients of all Socket.IO servers: each server is asked, and answers into a Redis list.

Nothing is recorded while nobody asks. A server that is slow, or was just killed, is waited for 0.7 s.
"""

import json
import secrets
import time
from contextlib import suppress
from functools import partial
from typing import Any

from src.core.realtime.connected_client import ClientList, ConnectedClient
from src.core.realtime.event_bus import ATTEMPT_SECONDS, CHANNEL, EventBus, EventBusError

LIST_CLIENTS = "list_clients"
_KEPT_SECONDS = 10


async def list_clients(bus: EventBus, room: str | None, limit: int) -> ClientList:
    """List the clients in `room`, or all of them, of all processes; at most `limit` of each process.

    Raises:
        EventBusError: Redis failed or timed out.
    """
    key = f"socketio:answers:{secrets.token_hex(8)}"
    [(_, asked)] = await bus.read(lambda: bus.redis.pubsub_numsub(CHANNEL))
    await bus.publish({"method": LIST_CLIENTS, "room": room, "limit": limit, "key": key, "host_id": bus.sender})
    deadline = time.monotonic() + ATTEMPT_SECONDS * 0.7  # Redis ends a wait up to 0.1 s late
    clients: list[ConnectedClient] = []
    total = answered = 0
    while answered < asked and (left := deadline - time.monotonic()) > 0:
        popped: Any = await bus.read(partial(bus.redis.blpop, [key], timeout=left))
        if popped is None:
            break
        process, count, listed = json.loads(popped[1])
        clients += [ConnectedClient(sid, process, rooms) for sid, rooms in listed]
        answered, total = answered + 1, total + count
    return ClientList(clients, total, asked - answered)


async def answer(bus: EventBus, question: dict[str, Any], found: ClientList) -> None:
    """Tell the server that asks about the clients of this process."""
    listed = [(client.sid, client.rooms) for client in found.clients]
    text = json.dumps([bus.process, found.total, listed])
    pipeline: Any = bus.redis.pipeline(transaction=False)
    pipeline.rpush(question["key"], text).expire(question["key"], _KEPT_SECONDS)
    with suppress(EventBusError):  # which the bus has logged; whoever asks learns that an answer is missing
        await bus.write(pipeline.execute)
