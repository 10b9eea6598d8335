"""What the log of a process says during an outage is true; its begin and its end are part of `test_matrix.py`."""

import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from src.core.resources import Resources
from tests.faults.read_only import read_only_postgres
from tests.queues.conftest import free_port
from tests.support.people import PASSWORD, Person
from tests.support.process import Process
from tests.support.served import IMPATIENT, Served, serve
from tests.support.waiting import eventually

pytestmark = pytest.mark.process


@pytest.fixture
async def served_process(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    """A process for each test, with a log of its own."""
    async with serve(tmp_path_factory.mktemp("logs") / "output", **IMPATIENT) as served:
        yield served


def entries(served: Served, event: str) -> list[dict[str, Any]]:
    lines = (line for line in served.output.read_text().splitlines() if line.startswith("{"))
    return [entry for entry in map(json.loads, lines) if entry["event"] == event]


class TestALogin:
    async def test_that_is_503_is_not_logged_as_a_login(
        self, served: Served, served_admin: Person, resources: Resources
    ) -> None:
        form = {"username": served_admin.user.username, "password": PASSWORD}
        async with read_only_postgres(served, resources):
            assert (await served.client.post("/api/v1/auth/login/swagger", data=form)).status_code == 503
        assert entries(served, "login") == []
        assert (await served.client.post("/api/v1/auth/login/swagger", data=form)).status_code == 200
        assert len(entries(served, "login")) == 1


class TestAFullLogDisk:
    async def test_fails_no_request_and_is_counted(self, served_admin: Person, tmp_path: Path) -> None:
        form, port = {"username": served_admin.user.username, "password": PASSWORD}, free_port()
        program = f"exec {sys.executable} -m uvicorn src.main:app --port {port} > /dev/full 2>&1"
        with Process(["sh", "-c", program], tmp_path / "output", os.environ):
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:

                async def is_up() -> bool:
                    try:
                        return (await client.get("/livez")).is_success
                    except httpx.TransportError:
                        return False

                await eventually(is_up)
                responses = [await client.post("/api/v1/auth/login/swagger", data=form) for _ in range(3)]
                metrics = (await client.get("/metrics")).text
        assert {response.status_code for response in responses} == {200}
        assert "log_lines_dropped" in metrics
        assert "log_lines_dropped 0.0" not in metrics
