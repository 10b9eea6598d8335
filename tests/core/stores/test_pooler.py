"""A PostgreSQL pooler in transaction mode; only tried where PgBouncer is installed."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from scripts.local.ports import Ports
from src.core.resources import Resources
from src.core.stores.errors import as_unavailable
from src.core.stores.sql import SQLDatabase
from src.crud.notice import NoticeCRUD
from src.utils.date import utc_now
from tests.crud.conftest import PartOf

PGBOUNCER = shutil.which(os.environ.get("PGBOUNCER", "pgbouncer"), path=f"{os.environ['PATH']}:/usr/sbin")

if PGBOUNCER:

    @pytest.fixture
    def pooler(resources: Resources) -> Iterator[SecretStr]:
        """The URL of a PgBouncer with three connections to the server."""
        url, port = resources.settings.sql.url, Ports.free().postgresql
        server = f"host={url.host} port={url.port} user={url.username} password={url.password or ''}"
        options = {"listen_addr": "127.0.0.1", "listen_port": port, "unix_socket_dir": "", "auth_type": "any"}
        pools = {"pool_mode": "transaction", "default_pool_size": 3}
        lines = [f"{name} = {value}" for name, value in (options | pools).items()]
        with TemporaryDirectory() as directory:  # which the user may read
            Path(directory).chmod(0o755)
            file = Path(directory, "pgbouncer.ini")
            file.write_text("\n".join(["[databases]", f"* = {server}", "[pgbouncer]", *lines]))
            process = subprocess.Popen([str(PGBOUNCER), "-q", *user(), str(file)])  # noqa: S603 - ours
            yield SecretStr(url.set(host="127.0.0.1", port=port).render_as_string(hide_password=False))
            process.terminate()
            process.wait()

    def user() -> Sequence[str]:
        """PgBouncer does not run as root."""
        return ["-u", "nobody"] if os.getuid() == 0 else []

    @pytest.fixture
    async def databases(resources: Resources, pooler: SecretStr) -> AsyncIterator[tuple[SQLDatabase, SQLDatabase]]:
        """Read-write and read-only."""
        changes = {"database_url": pooler, "pooler": "transaction", "command_timeout_seconds": 7, "pool_size": 30}
        settings = resources.settings.sql.model_copy(update=changes)
        databases = [SQLDatabase(settings, settings.url, read_only=read_only) for read_only in (False, True)]
        await wait_for(databases[0])
        yield databases[0], databases[1]
        for database in databases:
            await database.engine.dispose()

    async def wait_for(database: SQLDatabase) -> None:
        for _ in range(100):
            try:
                async with database.engine.connect():
                    return
            except OSError:
                await asyncio.sleep(0.1)

    async def value(connection: Any, query: str) -> Any:
        return (await connection.execute(text(query))).scalar_one()

    class TestAPoolerInTransactionMode:
        async def test_serves_every_statement(self, databases: tuple[SQLDatabase, SQLDatabase]) -> None:
            writing, reading = databases

            async def write(number: int) -> int:
                async with writing.sessions() as session:
                    notices = NoticeCRUD(session)
                    fields = {"title": f"pooled {number}", "body": "b", "expires_at": utc_now() + timedelta(days=1)}
                    row = await notices.create(fields)
                    await notices.create_many([fields, fields])
                    found = await notices.count({"id__in": [row.id]})
                    await session.rollback()
                    return found

            async def read(number: int) -> int:
                async with reading.sessions() as session:
                    await NoticeCRUD(session).cursor(PartOf(limit=1 + number % 3))
                    return int(await NoticeCRUD(session).exists({"title": "pooled"}))

            async def plain(number: int) -> int:
                async with reading.without_transaction.connect() as connection:
                    return int(await value(connection, f"SELECT {number}"))

            done = await asyncio.gather(*(work(number) for number in range(40) for work in (write, read, plain)))
            assert done == [answer for number in range(40) for answer in (1, 0, number)]

        async def test_has_the_timeouts(self, databases: tuple[SQLDatabase, SQLDatabase]) -> None:
            for database in databases:
                async with database.engine.connect() as connection:
                    shown = [await value(connection, f"SHOW {name}") for name in ("statement_timeout", "TimeZone")]
                assert shown == ["7s", "UTC"]

        async def test_ends_a_slow_statement(self, databases: tuple[SQLDatabase, SQLDatabase]) -> None:
            async with databases[0].engine.connect() as connection:
                await connection.execute(text("SET LOCAL statement_timeout = 50"))
                with pytest.raises(DBAPIError) as caught:
                    await connection.execute(text("SELECT pg_sleep(5)"))
            assert as_unavailable(caught.value)

        async def test_keeps_the_replica_read_only(self, databases: tuple[SQLDatabase, SQLDatabase]) -> None:
            async with databases[1].sessions() as session:
                with pytest.raises(DBAPIError, match="read-only transaction"):
                    await NoticeCRUD(session).delete_many({})

        async def test_sets_nothing_for_others(self, databases: tuple[SQLDatabase, SQLDatabase]) -> None:
            async with databases[1].engine.connect() as connection:
                await value(connection, "SELECT 1")
            for _ in range(5):
                async with databases[0].engine.begin() as connection:
                    assert await value(connection, "SHOW transaction_read_only") == "off"
