"""The Python examples of the README, as they stand there."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import aiohttp
import pytest
from redis import Redis

from src.core.config import settings
from tests.docs.conftest import Start
from tests.docs.readme import blocks, section
from tests.websockets.conftest import Peer, serve

pytestmark = pytest.mark.worker

SOCKETS = blocks("python", section("Socket.IO"))
TASK, SCHEDULER = blocks("python", section("Celery"))


def write(environment: dict[str, str], name: str, text: str) -> None:
    """Make a module that the processes of this environment can import."""
    Path(environment["PYTHONPATH"].split(":")[0], f"{name}.py").write_text(text)


class TestSocketExamples:
    @pytest.fixture
    def example(self, tmp_path: Path) -> ModuleType:
        """One module: the second example goes on where the first ends."""
        path = tmp_path / "readme_sockets.py"
        path.write_text("\n\n".join(SOCKETS))
        spec = importlib.util.spec_from_file_location("readme_sockets", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    async def test_answer_a_client(self, example: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
        from fastapi import FastAPI

        async with serve(example.sio.asgi(FastAPI()), lifespan="off") as url, aiohttp.ClientSession() as http:
            peer = Peer(http)
            await peer.client.connect(url, headers={"User-Agent": "reader"}, transports=["websocket"])
            sid = peer.client.get_sid()
            await peer.call("chat.send", {"text": "hello", "room": sid})
            received = await peer.next()
            await peer.call("chat.send", {"room": sid})
            refused = await peer.next()
            await peer.client.disconnect()
        user = f"user_{sid[-4:]}"
        assert received == ("/", "chat.receive", {"user": user, "text": "hello"})
        assert refused[1:2] == ("error",)
        assert f"SID: {sid}, UA: reader\n[{user}] sends message to {sid}: hello\n" in capsys.readouterr().out


class TestTaskExample:
    def test_runs_in_a_worker(self, environment: dict[str, str], start: Start) -> None:
        write(environment, "readme_task", TASK)
        worker = start("celery -A readme_task worker -l info -c 1")
        worker.wait_for("ready.")
        call = "import readme_task; readme_task.run_async_task.delay().get(timeout=20)"
        subprocess.run([sys.executable, "-c", call], env=environment, check=True)  # noqa: S603 - our own
        worker.wait_for("async task start.\nasync task done.\n")
        assert worker.stop() == 0


class TestSchedulerExample:
    def test_sends_what_is_due(self, environment: dict[str, str], start: Start) -> None:
        entry = {"task": "system.ping", "schedule": 1.0, "options": {"queue": "readme"}}
        write(environment, "readme_schedule", f"{SCHEDULER}\napp.conf.beat_schedule = {{'readme': {entry}}}\n")
        broker = Redis.from_url(settings.redis.url_of_database(int(environment["CELERY_REDIS_DATABASE"])))
        beat = start('celery -A readme_schedule beat -S "src.queues.scheduler:AsyncDatabaseScheduler" -l info')
        beat.wait_until(lambda: broker.llen("readme"))
        assert beat.stop() == 0
        broker.delete("readme")
        broker.close()
