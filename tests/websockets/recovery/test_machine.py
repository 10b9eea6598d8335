"""Whatever breaks when: a client that is told `recovered` has everything, once and in order.

One client and numbered events, on two processes that are stopped and killed. `scripts/check/recovery.sh` has it run for
longer.
"""

import os
from contextlib import AsyncExitStack
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.websockets.recovery.machine import Machine

RUNS = int(os.environ.get("RECOVERY_RUNS", "40"))
NUMBERS = st.integers(0, 1)
SENDERS = st.sampled_from(["0", "1", "worker"])
TRANSPORTS = st.sampled_from(["websocket", "polling"])
COMMON = (
    st.tuples(st.just("emit"), SENDERS, st.integers(1, 12)),
    st.tuples(st.just("together"), st.integers(1, 12)),
    st.tuples(st.just("deafen")),
    st.tuples(st.just("cut")),
    st.tuples(st.just("come"), NUMBERS, TRANSPORTS),
    st.tuples(st.just("stop"), NUMBERS),
    st.tuples(st.just("kill"), NUMBERS),
    st.tuples(st.just("crash"), st.integers(1, 12), st.integers(0, 4)),
    st.tuples(st.just("pause"), st.floats(0, 0.02)),
)
RARE = st.one_of(
    st.tuples(st.just("abandon")),
    st.tuples(st.just("flood"), st.sampled_from([30, 60, 100])),
    st.tuples(st.just("storm"), SENDERS, st.sampled_from([150, 300, 1100])),
)
FAILED: list[list[Any]] = [
    [
        ("abandon",), ("pause", 0.0144), ("together", 3), ("kill", 1), ("come", 1, "websocket"), ("together", 6),
        ("emit", "1", 7), ("emit", "1", 12), ("crash", 10, 4), ("storm", "worker", 150), ("storm", "1", 150),
        ("come", 1, "websocket"), ("stop", 1), ("emit", "1", 12), ("come", 0, "websocket"),
    ],
    [
        ("cut",), ("flood", 100), ("storm", "worker", 150), ("cut",), ("storm", "0", 1100), ("kill", 1),
        ("come", 1, "websocket"), ("crash", 6, 2), ("come", 0, "polling"), ("together", 3), ("cut",),
        ("emit", "worker", 3), ("come", 1, "polling"), ("crash", 9, 3), ("abandon",), ("storm", "1", 300), ("stop", 0),
    ],
]  # fmt: skip
"""Repeated events after kills, and more than 256 events."""


@pytest.mark.slow
@settings(
    phases=[Phase.generate],
    max_examples=RUNS,
    derandomize="RECOVERY_RUNS" not in os.environ,  # in the suite, a failure belongs to a change
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(steps=st.lists(st.one_of(*COMMON, RARE), min_size=5, max_size=25))
async def test_recovered_clients_have_everything_once_and_in_order(url: str, steps: list[Any]) -> None:
    async with AsyncExitStack() as stack:
        machine = Machine(url)
        stack.push_async_callback(machine.close)
        await machine.run(steps)


@pytest.mark.parametrize("steps", FAILED)
async def test_sequences_that_have_failed(url: str, steps: list[Any]) -> None:
    async with AsyncExitStack() as stack:
        machine = Machine(url)
        stack.push_async_callback(machine.close)
        await machine.run(steps)


@pytest.mark.slow
async def test_events_of_others_that_were_not_handled_before_own_ones(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stream has lost some; the client's process had sent its own events long before it would handle them."""
    monkeypatch.setattr("tests.websockets.recovery.machine.LAG_SECONDS", 0.1)
    async with AsyncExitStack() as stack:
        machine = Machine(url)
        stack.push_async_callback(machine.close)
        await machine.run([("storm", "worker", 1100), ("emit", "0", 4), ("pause", 0.1), ("deafen",)])
