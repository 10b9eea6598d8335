"""Redis commands of many clients at once."""

import asyncio

import pytest

from src.core.realtime import event_bus
from src.core.realtime.event_bus import EventBus

CALLERS = 400
SECONDS = 0.3
LIMIT_SECONDS = 2.5  # far more than one takes, also on a busy machine, and less than all take


@pytest.mark.parametrize("call", ["read", "write"])
@pytest.mark.slow
async def test_waiting_for_ones_turn_is_no_failure(call: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As when the clients of a process that ended come to another one."""
    monkeypatch.setattr(event_bus, "ATTEMPT_SECONDS", LIMIT_SECONDS)
    bus = EventBus("redis://127.0.0.1:1")
    run = getattr(bus, call)
    assert (
        await asyncio.gather(*(run(lambda: asyncio.sleep(SECONDS, True)) for _ in range(CALLERS))) == [True] * CALLERS
    )
