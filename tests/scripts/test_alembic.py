"""What the migration commands and initdb print: what they did, or one line about what to do."""

from collections.abc import Iterator

import pytest
from sqlalchemy import make_url

from src.core.preflight import unreachable
from tests.support.scratch import Scratch, scratch_database

pytestmark = pytest.mark.process


def failing(database: Scratch, *module: str, **environment: str) -> list[str]:
    """The lines of a command that has to fail."""
    process = database.start(*module, **environment)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 1, output
    return output.splitlines()


@pytest.fixture(scope="module")
def database() -> Iterator[Scratch]:
    with scratch_database() as database:
        yield database


@pytest.fixture(scope="module")
def migrated(database: Scratch) -> list[str]:
    """The lines of the first migration."""
    return database.run("alembic", "upgrade", "head").stdout.splitlines()


@pytest.fixture
def ahead(database: Scratch, migrated: list[str]) -> Iterator[Scratch]:
    """A database that a newer branch has migrated."""
    ((newest,),) = database.rows("SELECT version_num FROM alembic_version")
    database.rows("UPDATE alembic_version SET version_num = 'f00dfeed'")
    yield database
    database.rows(f"UPDATE alembic_version SET version_num = '{newest}'")  # noqa: S608 - our own revision


class TestMigrate:
    def test_names_each_migration(self, migrated: list[str]) -> None:
        assert migrated[0].startswith("Applied ")
        assert migrated[0].endswith("create tables")

    def test_ends_with_the_revision(self, database: Scratch, migrated: list[str]) -> None:
        ((newest,),) = database.rows("SELECT version_num FROM alembic_version")
        assert migrated[-1] == f"The database is at revision {newest}."

    def test_says_so_when_there_is_nothing_to_do(self, database: Scratch, migrated: list[str]) -> None:
        assert database.run("alembic", "upgrade", "head").stdout.splitlines() == migrated[-1:]

    def test_names_an_unknown_revision(self, database: Scratch, migrated: list[str]) -> None:
        assert failing(database, "alembic", "upgrade", "nowhere") == ["Can't locate revision identified by 'nowhere'"]


class TestDowngrade:
    def test_names_each_migration(self, database: Scratch, migrated: list[str]) -> None:
        lines = database.run("alembic", "downgrade", "-1").stdout.splitlines()
        assert lines[0] == migrated[-2].replace("Applied ", "Reverted")
        database.run("alembic", "upgrade", "head")


class TestADatabaseAhead:
    @pytest.mark.parametrize(
        "command", [("alembic", "upgrade", "head"), ("alembic", "downgrade", "-1"), ("src.initdb",)], ids=" ".join
    )
    def test_is_one_line_with_the_way_out(self, ahead: Scratch, command: tuple[str, ...]) -> None:
        (line,) = failing(ahead, *command, ENVIRONMENT="LOCAL")
        assert line.startswith("The database is ahead of this code: alembic/versions has no revision f00dfeed.")
        assert "downgrade there" in line
        assert "./scripts/manage.sh reset" in line


class TestADatabaseBehind:
    def test_stops_initdb_with_the_command_to_run(self, database: Scratch, migrated: list[str]) -> None:
        database.run("alembic", "downgrade", "-1")
        (line,) = failing(database, "src.initdb")
        database.run("alembic", "upgrade", "head")
        assert line.startswith("The database is behind this code, at revision ")
        assert line.endswith("Run scripts/alembic/migrate.sh.")

    def test_stops_a_new_migration_with_the_command_to_run(self, database: Scratch, migrated: list[str]) -> None:
        database.run("alembic", "downgrade", "-1")
        lines = failing(database, "alembic", "revision", "--autogenerate", "-m", "never written")
        database.run("alembic", "upgrade", "head")
        assert lines == ["Target database is not up to date. Run scripts/alembic/migrate.sh."]


class TestNoSchema:
    def test_stops_initdb_with_the_command_to_run(self) -> None:
        with scratch_database() as empty:
            lines = failing(empty, "src.initdb")
        assert lines == ["The database has no schema yet. Run scripts/alembic/migrate.sh."]


class TestNoConnection:
    @pytest.mark.parametrize("command", [("alembic", "upgrade", "head"), ("src.initdb",)], ids=" ".join)
    def test_is_one_line_with_the_address(self, database: Scratch, command: tuple[str, ...]) -> None:
        (line,) = failing(database, *command, SQL_DATABASE_URL="postgresql://a:secret@127.0.0.1:1/app")
        assert line.startswith("Cannot use PostgreSQL at 127.0.0.1:1/app: ")
        assert "correct SQL_DATABASE_URL" in line
        assert "secret" not in line

    def test_of_another_store_names_its_setting(self, database: Scratch, migrated: list[str]) -> None:
        (line,) = failing(database, "src.initdb", MINIO_ENDPOINT="http://127.0.0.1:1")
        assert line.startswith("Cannot use S3 at 127.0.0.1:1: connection refused. Start it ")
        assert line.endswith("or correct MINIO_ENDPOINT.")

    def test_of_mongodb_is_without_its_topology(self, database: Scratch, migrated: list[str]) -> None:
        (line,) = failing(database, "src.initdb", MONGO_DATABASE_URL="mongodb://a:secret@127.0.0.1:1/app")
        assert line.startswith("Cannot use MongoDB at 127.0.0.1:1: connection refused. Start it ")
        assert line.endswith("or correct MONGO_DATABASE_URL.")

    @pytest.mark.parametrize("wrong", [{"password": "wrong"}, {"database": "missing"}], ids=str)
    def test_of_a_running_server_asks_to_correct_the_setting(self, database: Scratch, wrong: dict[str, str]) -> None:
        url = database.url.set(**wrong)  # type: ignore[arg-type]
        (line,) = failing(database, "src.initdb", SQL_DATABASE_URL=url.render_as_string(hide_password=False))
        assert line.startswith(f"Cannot use PostgreSQL at {url.host}:{url.port}/{url.database}: ")
        assert line.endswith(". Correct SQL_DATABASE_URL.")

    def test_names_the_default_port(self) -> None:
        error = unreachable(make_url("postgresql+asyncpg://a:b@elsewhere/app"), OSError(111, "Connect call failed"))
        assert str(error).startswith("Cannot use PostgreSQL at elsewhere:5432/app: connection refused. ")


class TestInitdb:
    def test_says_what_it_did(self, database: Scratch, migrated: list[str]) -> None:
        output = database.run("src.initdb").stdout
        assert "Administrator: admin was created.\nPermission codes: " in output
        assert "Administrator: exists." in database.run("src.initdb").stdout
