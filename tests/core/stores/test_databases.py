"""Further SQL databases by name, and read-only sessions."""

import os
from collections.abc import AsyncIterator, Awaitable
from contextlib import suppress
from typing import Annotated, Any

import httpx
import pytest
from fastapi import Depends, FastAPI
from pydantic import SecretStr
from sqlalchemy import URL, make_url, text
from sqlalchemy.exc import DBAPIError

from src.core.config.base import ConfigurationError
from src.core.config.sql import SQLSettings
from src.core.health import check_stores
from src.core.resources import Resources
from src.core.stores.errors import as_unavailable
from src.core.stores.sql import SQLDatabase
from src.core.unit_of_work import UnitOfWork
from src.deps.database import ReadSessionDep, get_resources, unit_of_work_on
from tests.support.proxy import proxied
from tests.support.scratch import Scratch, scratch_database

MYSQL_URL = os.environ.get("MYSQL_DATABASE_URL")


@pytest.fixture(scope="module")
def scratch() -> Any:
    with scratch_database() as scratch:
        yield scratch


@pytest.fixture
async def reports(resources: Resources, scratch: Scratch, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Resources]:
    """Resources with a second PostgreSQL database, which has one table."""
    database = SQLDatabase(resources.settings.sql, scratch.url)
    monkeypatch.setattr(resources, "databases", {"reports": database})
    async with database.engine.begin() as connection:
        await connection.execute(text("DROP TABLE IF EXISTS reports"))
        await connection.execute(text("CREATE TABLE reports (name text)"))
    yield resources
    await database.engine.dispose()


async def names(database: SQLDatabase) -> list[str]:
    async with database.engine.connect() as connection:
        return list((await connection.execute(text("SELECT name FROM reports"))).scalars())


class TestASecondDatabase:
    async def test_is_another_one(self, reports: Resources) -> None:
        async with reports.unit_of_work() as first, reports.unit_of_work("reports") as second:
            found = [
                (await (await uow.session.connection()).execute(text("SELECT current_database()"))).scalar_one()
                for uow in (first, second)
            ]
        assert found[0] != found[1]

    async def test_keeps_what_its_unit_of_work_commits(self, reports: Resources) -> None:
        async with reports.unit_of_work("reports") as uow:
            await (await uow.session.connection()).execute(text("INSERT INTO reports VALUES ('kept')"))
        assert await names(reports.database("reports")) == ["kept"]

    async def test_drops_what_is_rolled_back(self, reports: Resources) -> None:
        with suppress(ZeroDivisionError):
            async with reports.unit_of_work("reports") as uow:
                await (await uow.session.connection()).execute(text("INSERT INTO reports VALUES ('lost')"))
                raise ZeroDivisionError
        assert await names(reports.database("reports")) == []

    async def test_has_a_dependency(self, reports: Resources) -> None:
        app = FastAPI()
        app.dependency_overrides[get_resources] = lambda: reports
        ReportsDep = Annotated[UnitOfWork, Depends(unit_of_work_on("reports"), scope="function")]  # noqa: N806 - a type

        @app.post("/")
        async def write(uow: ReportsDep) -> None:
            await (await uow.session.connection()).execute(text("INSERT INTO reports VALUES ('by route')"))

        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            (await client.post("/")).raise_for_status()
        assert await names(reports.database("reports")) == ["by route"]

    async def test_is_part_of_the_health_check(self, reports: Resources) -> None:
        assert (await check_stores(reports))["sql:reports"].reason == ""

    async def test_that_is_down_does_not_affect_the_primary(
        self, reports: Resources, scratch: Scratch, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with proxied(scratch.url.render_as_string(hide_password=False)) as (url, proxy):
            database = SQLDatabase(reports.settings.sql, make_url(url))
            monkeypatch.setattr(reports, "databases", {"reports": database})
            proxy.refuse()
            with pytest.raises(Exception) as caught:
                await names(database)
            health = await check_stores(reports)
            await database.engine.dispose()
        assert as_unavailable(caught.value)
        assert (bool(health["sql:reports"].reason), health["postgres"].reason) == (True, "")

    async def test_without_a_name_in_the_settings_is_an_error(self, reports: Resources) -> None:
        with pytest.raises(LookupError, match="payroll"):
            reports.database("payroll")


class TestAReadOnlySession:
    async def test_reads_the_replica(self, resources: Resources, scratch: Scratch) -> None:
        settings = resources.settings.sql.model_copy(update={"replica_url": secret(scratch.url)})
        replica = SQLDatabase(settings, settings.read_url, read_only=True)
        async with replica.sessions() as session:
            name = (await (await session.connection()).execute(text("SELECT current_database()"))).scalar_one()
        await replica.engine.dispose()
        assert name == scratch.url.database

    async def test_reads_the_primary_without_a_replica(self, resources: Resources) -> None:
        async with resources.read_sessions() as session:
            name = (await (await session.connection()).execute(text("SELECT current_database()"))).scalar_one()
        assert name == resources.settings.sql.url.database

    async def test_cannot_write(self, resources: Resources) -> None:
        async with resources.read_sessions() as session:
            with pytest.raises(DBAPIError, match="read-only transaction"):
                await (await session.connection()).execute(text("DELETE FROM notices"))

    async def test_sees_what_is_committed_meanwhile(self, resources: Resources) -> None:
        async with resources.read_sessions() as session:
            connection = await session.connection()
            seen = [(await connection.execute(text("SELECT txid_current_snapshot()::text"))).scalar_one()]
            async with resources.engine.begin() as writer:
                await writer.execute(text("SELECT txid_current()"))
            seen.append((await connection.execute(text("SELECT txid_current_snapshot()::text"))).scalar_one())
        assert seen[0] != seen[1]

    async def test_is_a_dependency(self, resources: Resources) -> None:
        app = FastAPI()
        app.dependency_overrides[get_resources] = lambda: resources

        @app.get("/")
        async def read(session: ReadSessionDep) -> str:
            found = await (await session.connection()).execute(text("SHOW default_transaction_read_only"))
            return str(found.scalar_one())

        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            assert (await client.get("/")).json() == "on"


def secret(url: URL) -> SecretStr:
    return SecretStr(url.render_as_string(hide_password=False))


class TestTheSettings:
    @pytest.mark.parametrize(
        ("url", "driver"),
        [
            ("postgresql://u:p@h/d", "postgresql+asyncpg"),
            ("mysql://u:p@h/d", "mysql+asyncmy"),
            ("mariadb://u:p@h/d", "mariadb+asyncmy"),
        ],
    )
    def test_choose_the_driver(self, url: str, driver: str) -> None:
        settings = SQLSettings.model_validate({"SQL_DATABASES": {"other": url}})
        assert settings.named_urls["other"].drivername == driver

    @pytest.mark.parametrize("url", ["sqlite:///x", "nonsense"])
    def test_refuse_an_unsupported_url(self, url: str) -> None:
        with pytest.raises(ConfigurationError, match="SQL_DATABASES"):
            _ = SQLSettings.model_validate({"SQL_DATABASES": {"other": url}}).named_urls

    def test_refuse_a_replica_other_than_postgresql(self) -> None:
        with pytest.raises(ConfigurationError, match="SQL_REPLICA_URL"):
            _ = SQLSettings.model_validate({"SQL_REPLICA_URL": "mysql://u:p@h/d"}).read_url


if MYSQL_URL:

    @pytest.fixture
    async def mysql(resources: Resources) -> AsyncIterator[SQLDatabase]:
        settings = resources.settings.sql.model_copy(
            update={"databases": {"other": SecretStr(str(MYSQL_URL))}, "lock_timeout_seconds": 1}
        )
        database = SQLDatabase(settings, settings.named_urls["other"])
        yield database
        await database.engine.dispose()

    async def failure(work: Awaitable[object]) -> Exception:
        with pytest.raises(Exception) as caught:
            await work
        return caught.value

    class TestMySQL:
        async def test_a_lock_that_others_hold_means_unavailable(self, mysql: SQLDatabase) -> None:
            async with mysql.engine.begin() as connection:
                await connection.execute(text("CREATE TABLE IF NOT EXISTS locks (id int primary key)"))
                await connection.execute(text("REPLACE INTO locks VALUES (1)"))
            async with mysql.engine.begin() as holder, mysql.engine.connect() as other:
                await holder.execute(text("UPDATE locks SET id = 1 WHERE id = 1"))
                await holder.execute(text("SELECT * FROM locks FOR UPDATE"))
                error = await failure(other.execute(text("SELECT * FROM locks FOR UPDATE")))
            assert as_unavailable(error)

        async def test_a_connection_that_the_server_ended_is_replaced(self, mysql: SQLDatabase) -> None:
            killer = SQLDatabase(SQLSettings(SQL_POOL_SIZE=1), mysql.engine.url)
            async with mysql.engine.connect() as connection:
                key = (await connection.execute(text("SELECT connection_id()"))).scalar_one()
            async with killer.engine.connect() as connection:
                await connection.execute(text(f"KILL {key}"))
            await killer.engine.dispose()
            async with mysql.engine.connect() as connection:
                assert (await connection.execute(text("SELECT connection_id()"))).scalar_one() != key

        async def test_a_server_that_is_down_means_unavailable(self, resources: Resources) -> None:
            url = make_url("mysql+asyncmy://u:p@127.0.0.1:1/d")
            database = SQLDatabase(resources.settings.sql, url)
            error = await failure(database.engine.connect().start())
            await database.engine.dispose()
            assert as_unavailable(error)
