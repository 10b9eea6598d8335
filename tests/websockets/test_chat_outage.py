"""While a store is down, clients get code 4503 in time, and no message is sent that was not stored."""

from collections.abc import AsyncIterator
from uuid import uuid4

import aiohttp
import pytest

from tests.support.people import Person
from tests.support.served import IMPATIENT, Served, serve
from tests.websockets.conftest import Peer

pytestmark = pytest.mark.process

ROOM = f"room-{uuid4()}"


@pytest.fixture(scope="module")
async def served_process(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    """A process of its own: other tests must not see its state."""
    async with serve(tmp_path_factory.mktemp("chat") / "output", **IMPATIENT) as served:
        yield served


@pytest.fixture
async def member(served: Served, served_admin: Person) -> AsyncIterator[Peer]:
    """A client in a room, once all stores are connected."""
    async with aiohttp.ClientSession() as http:
        peer = Peer(http)
        auth = {"token": served_admin.tokens.access_token}
        await peer.client.connect(str(served.client.base_url), auth=auth, transports=["websocket"])
        await peer.call("chat.join", {"room": ROOM})
        await peer.call("chat.history", {"room": ROOM})
        yield peer
        await peer.client.disconnect()


@pytest.mark.parametrize("fault", ["hang", "refuse"])
@pytest.mark.parametrize("store", ["mongo", "redis"])
class TestStoreIsDown:
    async def test_a_message_is_refused_and_not_sent(
        self, served: Served, member: Peer, store: str, fault: str
    ) -> None:
        getattr(served.stores[store], fault)()
        refused = await member.call("chat.send", {"room": ROOM, "text": "hello"})
        assert (refused["code"], refused["error"]) == (4503, "service.unavailable")
        assert (await member.next())[1] == "error"
        assert member.received.empty()

    async def test_it_continues_when_the_store_is_back(
        self, served: Served, member: Peer, store: str, fault: str
    ) -> None:
        getattr(served.stores[store], fault)()
        await member.call("chat.send", {"room": ROOM, "text": "lost"})
        await member.next()
        await served.stores[store].heal()
        line = await member.call("chat.send", {"room": ROOM, "text": "kept"})
        assert await member.next() == ("/", "chat.receive", line)
