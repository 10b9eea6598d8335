"""The saved sessions: changes that overlap, and what is no session."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from src.core.realtime.event_bus import EventBus
from src.websockets.recovery import Offset, RecoverableSession
from src.websockets.recovery.session_store import SessionStore
from tests.websockets.recovery.conftest import Open
from tests.websockets.recovery.recoverable import REPLAY

KEY = "socketio:connection:"


@pytest.fixture
async def bus(url: str) -> AsyncIterator[EventBus]:
    bus = EventBus(url, REPLAY)
    yield bus
    await bus.redis.aclose()


class TestForget:
    async def test_while_it_is_renewed_deletes_a_session(self, bus: EventBus, monkeypatch: pytest.MonkeyPatch) -> None:
        store = SessionStore(bus)
        session = RecoverableSession.start("sid", "/", "", {"recover": True}, Offset(process=bus.process), [])
        store.mark(session)
        await store.flush()
        write, begins, may_go_on = store._write, asyncio.Event(), asyncio.Event()

        async def write_late(add: Any) -> Any:
            monkeypatch.undo()
            begins.set()
            await may_go_on.wait()
            return await write(add)

        monkeypatch.setattr(store, "_write", write_late)
        renewing = asyncio.create_task(store.renew([session]))
        await begins.wait()
        forgetting = asyncio.create_task(store.forget(session))
        await asyncio.wait([forgetting], timeout=0.2)  # it may have to wait for the renewal
        may_go_on.set()
        await asyncio.gather(renewing, forgetting)
        assert not await bus.redis.exists(KEY + session.private_session_id)


class TestFind:
    @pytest.mark.parametrize("text", ["", "x", "{}", "[]", '{"sent": []}', '{"sent": [], "of_another_version": 1}'])
    async def test_an_entry_that_is_none_leads_to_a_new_session(self, bus: EventBus, wire: Open, text: str) -> None:
        await bus.redis.set(f"{KEY}poison", "0123456789abcdef" + text, ex=10)
        assert (await wire(0, pid="poison")).pid != "poison"
