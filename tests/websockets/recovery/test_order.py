"""A client that returns while others send: the past comes first, and everything once."""

import asyncio
import json
import secrets
from collections import Counter
from contextlib import suppress

import pytest

from src.websockets.params import SID
from src.websockets.server import AsyncServer
from tests.support.waiting import PATIENCE_SECONDS, eventually
from tests.websockets.recovery.conftest import Open, Wire, cut, dialing

Servers = list[tuple[AsyncServer, str]]


class TestOrder:
    async def test_live_events_wait_for_the_missed_ones(self, servers: Servers, wire: Open) -> None:
        (first, _), (second, _) = servers
        client, _ = await wire(0), await wire(1)  # the second process has subscribed, so that it rechecks no others
        back = await cut(client, first)
        for number in (1, 2, 3):
            await first.emit("news", number, to=client.sid)

        @second.authorization_check
        async def recheck() -> None:  # the rooms are entered, and the missed events were read
            await second.emit("news", 4, to=client.sid)
            await second.emit("news", 5, to=client.sid)

        again = await wire(1, **back)
        assert again.pid == client.pid
        assert [(await again.event())[1] for _ in range(5)] == [1, 2, 3, 4, 5]

    @pytest.mark.slow
    async def test_is_kept_under_traffic_from_both_processes(self, servers: Servers, wire: Open) -> None:
        client, room = await wire(0), secrets.token_hex(4)
        await wire(1)  # the second process listens as well
        await client.call("join", room)
        received: dict[str, list[int]] = {"first": [], "second": []}
        sent, is_done = Counter[str](), asyncio.Event()

        async def talk(name: str, server: AsyncServer) -> None:
            while not is_done.is_set():
                sent[name] += 1
                await server.emit("news", (name, sent[name]), room=room)
                await asyncio.sleep(0.001)
                # A client that has missed more than 1,000 events could not be recovered.
                await eventually(lambda: is_done.is_set() or sent[name] - len(received[name]) < 100)
            await server.emit("news", (name, 0), room=room)

        talkers = [asyncio.create_task(talk(name, server)) for name, (server, _) in zip(received, servers, strict=True)]

        async def listen(client: Wire, events: int) -> None:
            for _ in range(events):
                _, name, number = await client.event()
                received[name].append(number)

        for turn in range(10):
            await listen(client, 20)
            back = await cut(client, servers[turn % 2][0])
            again = await wire((turn + 1) % 2, **back)
            assert again.pid == client.pid
            again.offset, client = client.offset, again
        is_done.set()
        await asyncio.gather(*talkers)
        while not all(numbers and numbers[-1] == 0 for numbers in received.values()):
            await listen(client, 1)
        for numbers in received.values():
            assert numbers == [*range(1, len(numbers)), 0]

    async def test_rooms_that_are_refused_leak_nothing(self, servers: Servers, wire: Open) -> None:
        (first, _), (second, _) = servers
        client, _ = await wire(0), await wire(1)  # the second process has subscribed, so that it rechecks no others
        await client.call("join", "secret")
        back = await cut(client, first)

        @second.authorization_check
        async def recheck() -> None:
            await second.emit("news", "secret", room="secret")
            raise PermissionError

        again = await wire(1, **back)
        assert again.pid != client.pid
        await second.emit("news", "open", to=again.sid)
        assert await again.event() == ["news", "open"]


class TestProcessThatIsBehind:
    """A client gets from the stream what its new process has not handled yet."""

    @pytest.fixture
    def gate(self, servers: Servers, monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
        """Until it is set, the second process handles nothing that others emit."""
        manager, gate = servers[1][0].manager, asyncio.Event()
        handle = manager._handle_emit

        async def handle_late(message: object) -> None:
            await gate.wait()
            await handle(message)

        monkeypatch.setattr(manager, "_handle_emit", handle_late)
        return gate

    @pytest.fixture
    async def client(self, servers: Servers, wire: Open, gate: asyncio.Event) -> Wire:
        """It has returned to that process, and received what it had missed."""
        (first, _), _ = servers
        client, _ = await wire(0), await wire(1)
        back = await cut(client, first)
        for number in (1, 2, 3):
            await first.emit("news", number, to=client.sid)
        again = await wire(1, **back)
        assert [await again.event() for _ in range(3)] == [["news", 1], ["news", 2], ["news", 3]]
        return again

    async def test_repeats_nothing(self, servers: Servers, client: Wire, gate: asyncio.Event) -> None:
        (first, _), (second, _) = servers
        await second.emit("own", 4, to=client.sid)
        await first.emit("news", 5, to=client.sid)
        gate.set()
        assert [await client.event(), await client.event()] == [["own", 4], ["news", 5]]
        await second.emit("own", 6, to=client.sid)
        assert await client.event() == ["own", 6]

    @pytest.mark.parametrize("received", [0, 1, 2])
    async def test_nor_does_the_next_one(
        self, servers: Servers, wire: Open, client: Wire, gate: asyncio.Event, received: int
    ) -> None:
        (first, _), (second, _) = servers
        expected = [["own", 4], ["own", 5], ["news", 6]]
        for number in (4, 5):
            await second.emit("own", number, to=client.sid)
        await first.emit("news", 6, to=client.sid)  # the second process will handle it too late
        for _ in range(received):
            assert await client.event() == expected.pop(0)
        back = await cut(client, second)
        gate.set()
        again = await wire(0, **back)
        assert again.pid == client.pid
        assert [await again.event() for _ in expected] == expected
        await first.emit("news", 7, to=client.sid)
        assert await again.event() == ["news", 7]

    async def test_tells_the_others_when_it_leaves(self, servers: Servers, wire: Open, client: Wire) -> None:
        second, other = servers[1][0], await wire(1)

        @second.on("disconnect")
        async def leave(sid: SID) -> None:
            await second.emit("left", sid)

        await cut(client, second)
        assert await other.event() == ["left", client.sid]


class TestBreakingAgain:
    async def test_while_the_missed_events_are_read_loses_nothing(self, servers: Servers, wire: Open) -> None:
        (first, _), (second, url) = servers
        client, _ = await wire(0), await wire(1)  # the second process has subscribed, so that it rechecks no others
        await first.emit("news", 0, to=client.sid)
        await client.event()
        back = await cut(client, first)
        for number in range(1, 7):
            await first.emit("news", number, to=client.sid)
        has_begun, may_end = asyncio.Event(), asyncio.Event()

        @second.authorization_check
        async def recheck() -> None:
            await second.emit("news", 7, to=client.sid)
            has_begun.set()
            await may_end.wait()

        async with dialing() as dial:
            again = await dial(url)
            await again.websocket.receive_str()
            await again.websocket.send_str(f"40{json.dumps({'recover': True, **back})}")
            again.pid, again.offset = client.pid, client.offset
            await asyncio.wait_for(has_begun.wait(), PATIENCE_SECONDS)
            with suppress(TimeoutError):  # whatever comes before the missed events
                async with asyncio.timeout(0.3):
                    await again.event()
            breaking = asyncio.create_task(cut(again, second))
            await asyncio.sleep(0)
            may_end.set()
            back = await breaking
        third = await wire(0, **back)
        assert third.pid == client.pid
        assert [(await third.event())[1] for _ in range(7)] == list(range(1, 8))
