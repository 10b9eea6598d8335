"""docs/sockets.md: its Python client recovers its session."""

import asyncio
import secrets
from typing import Any

from tests.docs.readme import ROOT, blocks
from tests.support.waiting import PATIENCE_SECONDS, eventually
from tests.websockets.recovery.conftest import servers, url

__all__ = ["servers", "url"]

[BLOCK] = [block for block in blocks("python", (ROOT / "docs/sockets.md").read_text()) if "RecoveringClient" in block]


async def test_a_python_client_recovers(servers: Any) -> None:
    (server, url), _ = servers
    names: dict[str, Any] = {}
    exec(BLOCK, names)  # noqa: S102 - an example of a document
    client = names["RecoveringClient"](handle_sigint=False, reconnection_delay=0.1, randomization_factor=0)
    received: asyncio.Queue[Any] = asyncio.Queue()
    client.on("news", received.put)
    await client.connect(url, auth=client.credentials, transports=["websocket"])
    sid, room = client.get_sid(), secrets.token_hex(4)
    await client.call("join", room)
    await server.emit("news", 1, room=room)
    assert await asyncio.wait_for(received.get(), PATIENCE_SECONDS) == 1
    await client.eio.ws.close()
    await eventually(lambda: not server.eio.sockets)
    await server.emit("news", 2, room=room)
    assert await asyncio.wait_for(received.get(), PATIENCE_SECONDS) == 2
    assert (client.recovered, client.get_sid()) == (True, sid)
    await client.disconnect()
