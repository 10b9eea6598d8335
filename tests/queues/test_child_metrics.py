"""Processes that run tasks go on measuring after a measurement that failed."""

import asyncio
from typing import cast

import pytest
from structlog.testing import capture_logs

from src.core.resources import Resources
from src.queues.inspection import child_metrics

pytestmark = pytest.mark.unit


async def test_one_that_fails_is_logged_and_the_next_one_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    errors, measured = [RuntimeError("not now")], asyncio.Event()

    async def check_stores(_resources: Resources) -> dict[str, object]:
        if errors:
            raise errors.pop()
        measured.set()
        return {}

    monkeypatch.setattr(child_metrics, "check_stores", check_stores)
    monkeypatch.setattr(child_metrics, "CHECK_SECONDS", 0.01)
    with capture_logs() as logs:
        measuring = asyncio.create_task(child_metrics._measure(cast("Resources", None), None))
        waiting = asyncio.create_task(measured.wait())
        await asyncio.wait([measuring, waiting], return_when=asyncio.FIRST_COMPLETED)
        assert waiting.done()
        measuring.cancel()
    assert [entry["event"] for entry in logs] == ["report_failed"]
