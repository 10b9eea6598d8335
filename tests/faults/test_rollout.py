"""A process ends behind a proxy while another serves: the small form of `python -m scripts.check.rollout`."""

import asyncio
import itertools
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from scripts.check import rollout_load
from scripts.check.rollout_load import Requests, Sockets
from scripts.local.applications import WEB_LIMITS
from src.core.resources import Resources
from tests.support.people import People
from tests.support.process import Process
from tests.support.proxy import HOST
from tests.support.served import Served

pytestmark = pytest.mark.process

REQUESTS = "127.0.0.1"
"""The address that requests come from; each Socket.IO client has another one."""


@asynccontextmanager
async def in_front_of(*urls: str) -> AsyncIterator[str]:
    """A proxy that forwards requests in turn, each Socket.IO client to one process, and to another if one refuses."""
    ports = [urlsplit(url).port for url in urls]
    turns = itertools.count()

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = writer.get_extra_info("peername")[0]
        turn = next(turns) if client == REQUESTS else int(client.rpartition(".")[2])
        for number in range(len(ports)):
            with suppress(ConnectionRefusedError):
                source, upstream = await asyncio.open_connection(HOST, ports[(turn + number) % len(ports)])
                break
        else:
            writer.transport.abort()
            return
        with suppress(OSError):
            await asyncio.gather(pipe(reader, upstream), pipe(source, writer))

    async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        finally:
            writer.close()

    async with await asyncio.start_server(forward, HOST, 0) as server:
        yield f"http://{HOST}:{server.sockets[0].getsockname()[1]}"


async def test_nobody_notices_that_a_process_ends(
    served: Served, resources: Resources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rollout_load, "SENDERS", 4)
    async with resources.unit_of_work() as uow:
        token = (await People(uow, resources).create(is_admin=True)).tokens.access_token
    command = [sys.executable, "-m", "uvicorn", "src.main:app", "--port", "0", *WEB_LIMITS]
    with Process(command, tmp_path / "output", os.environ | {"DRAIN_SECONDS": "1"}) as leaving:
        await asyncio.to_thread(leaving.wait_for, "running on")
        address = re.findall(r"running on (http://[\d.:]+)", leaving.output)[0]
        async with (
            in_front_of(address, str(served.client.base_url)) as url,
            Sockets.connected(url, token, 2) as sockets,
        ):
            requests = Requests(url, token)
            load = asyncio.create_task(requests.send(300))
            await asyncio.to_thread(leaving.stop)
            requests.may_end.set()
            await load
            assert '"stopped_accepting"' in leaving.output
            assert [*requests.problems(), *await sockets.problems()] == []
