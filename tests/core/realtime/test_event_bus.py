"""Redis commands of many clients at once."""

import asyncio

import pytest

from src.core.realtime.event_bus import EventBus

CALLERS = 400
SECONDS = 0.15


@pytest.mark.parametrize("call", ["read", "write"])
@pytest.mark.slow
async def test_waiting_for_ones_turn_is_no_failure(call: str) -> None:
    """As when the clients of a process that ended come to another one."""
    bus = EventBus("redis://127.0.0.1:1")
    run = getattr(bus, call)
    assert (
        await asyncio.gather(*(run(lambda: asyncio.sleep(SECONDS, True)) for _ in range(CALLERS))) == [True] * CALLERS
    )
