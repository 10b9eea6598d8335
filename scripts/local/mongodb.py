import sys
from collections.abc import Mapping
from pathlib import Path

from typing_extensions import override

from scripts.local.children import Children
from scripts.local.credentials import Credentials
from scripts.local.patience import wait_until
from scripts.local.ports import LOOPBACK, is_busy
from scripts.local.process import Process
from scripts.local.store import STORE_PATIENCE_SECONDS, Store
from scripts.local.wheel import locate

USER = DATABASE = "app"


class MongoDB(Store):
    """SecantusDB, in a process of its own: it is licensed under the GPL, so nothing here may import it."""

    name = "MongoDB"
    key = "mongodb"
    settings = ("MONGO_DATABASE_URL", "MONGO_HOST")

    def __init__(self, data: Path, port: int, credentials: Credentials, configured: Mapping[str, str]) -> None:
        super().__init__(data, port, credentials, configured)
        locate("secantus", "__main__.py", self.name)

    @override
    def launch(self, children: Children) -> Process:
        self.directory.mkdir(mode=0o700, exist_ok=True)
        has_user = self.directory / "has-user"
        if has_user.exists():
            return children.start(self._process("--auth"))
        open_server = children.start(self._process())  # with --auth, nobody could create the first user
        wait_until(self._create_user, open_server, children)
        has_user.touch()
        return children.replace(open_server, self._process("--auth"))  # killing loses nothing: commits are synced

    @override
    def is_ready(self) -> bool:
        return self._command(self.environment["MONGO_DATABASE_URL"], {"ping": 1}) is not None

    @property
    @override
    def environment(self) -> dict[str, str]:
        # It would run a write that PyMongo repeats once more: with `timeoutMS` the two differ in their `maxTimeMS`.
        options = "authSource=admin&directConnection=true&retryWrites=false"
        return {"MONGO_DATABASE_URL": f"mongodb://{USER}:{self.password}@{LOOPBACK}:{self.port}/{DATABASE}?{options}"}

    def _create_user(self) -> bool:
        url = f"mongodb://{LOOPBACK}:{self.port}/?directConnection=true"
        users = self._command(url, {"usersInfo": USER})
        if users is None:
            return False
        verb = "updateUser" if users["users"] else "createUser"
        return self._command(url, {verb: USER, "pwd": self.password, "roles": ["root"]}) is not None

    def _process(self, *flags: str) -> Process:
        address = ["--host", LOOPBACK, "--port", str(self.port)]
        command = [sys.executable, "-m", "secantus", *address, "--storage-path", str(self.directory / "data")]
        # With a home of its own it does not read a configuration file of the user.
        environment = {"HOME": str(self.directory)}
        return Process(
            self.name,
            [*command, "--sync-on-commit", *flags],
            self.log,
            environment,
            patience_seconds=STORE_PATIENCE_SECONDS,
        )

    def _command(self, url: str, command: dict[str, object]) -> dict[str, object] | None:
        """The reply of the admin database; None when the server does not answer."""
        if not is_busy(LOOPBACK, self.port):
            return None  # the client would wait half a second before its second attempt
        from pymongo import MongoClient  # imported while the servers start: clients take a second to import
        from pymongo.errors import PyMongoError

        try:
            with MongoClient[dict[str, object]](url, serverSelectionTimeoutMS=500, timeoutMS=2000) as client:
                return client.admin.command(command)
        except PyMongoError:
            return None
