"""How migrations run: one deployment at a time, revision by revision, and around tables in use."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from alembic.operations import ops
from sqlalchemy import Column, Enum, MetaData, Table, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from scripts.alembic.review import add_enum_values
from tests.support.databases import sql_server
from tests.support.scratch import Scratch, scratch_database
from tests.support.stores import ROOT
from tests.support.waiting import eventually

pytestmark = pytest.mark.process

REVISION = """
from contextlib import nullcontext

from alembic import op

revision = "{number}"
down_revision = {previous!r}


def run(statements):
    for statement in statements:
        with op.get_context().autocommit_block() if "CONCURRENTLY" in statement else nullcontext():
            op.execute(statement)


def upgrade():
    run({upgrade})


def downgrade():
    run({downgrade})
"""
# What each revision does and undoes.
STEPS = [
    (["CREATE TYPE kind AS ENUM ('a')", "CREATE TABLE things (kind kind)"], ["DROP TABLE things", "DROP TYPE kind"]),
    (["ALTER TYPE kind ADD VALUE 'b'"], []),
    (["INSERT INTO things SELECT 'b' FROM generate_series(1, 1000)"], ["DELETE FROM things"]),
    (["CREATE INDEX CONCURRENTLY i ON things (kind)"], ["DROP INDEX CONCURRENTLY i"]),
    (["ALTER TABLE things ADD COLUMN number int"], ["ALTER TABLE things DROP COLUMN number"]),
]


def revision(number: int, upgrade: list[str], downgrade: list[str]) -> str:
    previous = str(number - 1) if number > 1 else None
    return REVISION.format(number=number, previous=previous, upgrade=upgrade, downgrade=downgrade)


@pytest.fixture
def database() -> Iterator[Scratch]:
    with scratch_database() as database:
        yield database


@pytest.fixture
def command(tmp_path: Path) -> tuple[str, ...]:
    """Alembic with five revisions of its own."""
    for number, (upgrade, downgrade) in enumerate(STEPS, 1):
        (tmp_path / f"{number}.py").write_text(revision(number, upgrade, downgrade))
    (tmp_path / "alembic.ini").write_text(
        f"[alembic]\nscript_location = {ROOT}/alembic\nversion_locations = {tmp_path}\npath_separator = os\n"
    )
    return "alembic", "-c", str(tmp_path / "alembic.ini")


def test_three_deployments_at_once_migrate_once(database: Scratch, command: tuple[str, ...]) -> None:
    """With an index that is created concurrently, and an enum value that the next revision uses."""
    processes = [database.start(*command, "upgrade", "head") for _ in range(3)]
    outputs = [process.communicate(timeout=120)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], outputs
    assert sorted(output.count("Applied") for output in outputs) == [0, 0, 5]
    assert database.rows("SELECT count(*) FROM things WHERE kind = 'b'") == [(1000,)]


def test_each_pair_of_revisions_goes_up_and_down(database: Scratch, command: tuple[str, ...]) -> None:
    for _ in range(2):
        database.run(*command, "upgrade", "head")
        database.run(*command, "downgrade", "base")
    assert database.rows("SELECT to_regclass('things')") == [(None,)]


def test_a_revision_that_fails_leaves_those_before_it(
    database: Scratch, command: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / "6.py").write_text(revision(6, ["SELECT 1 / 0"], []))
    process = database.start(*command, "upgrade", "head")
    output, _ = process.communicate(timeout=60)
    assert (process.returncode, output.count("Applied")) == (1, 5)
    assert database.rows("SELECT version_num FROM alembic_version") == [("5",)]


async def test_a_table_in_use_does_not_stop_it(database: Scratch, command: tuple[str, ...]) -> None:
    """It gives way to those who wait behind it, and tries again."""
    database_url = sql_server(database.url.render_as_string(hide_password=False))
    process = database.start(*command, "upgrade", "4")
    process.communicate(timeout=60)
    reader = await asyncpg.connect(database_url)
    try:
        async with reader.transaction():
            await reader.execute("SELECT 1 FROM things LIMIT 1")
            process = database.start(*command, "upgrade", "head")
            await eventually(lambda: "trying again" in process.output)
    finally:
        await reader.close()
    output, _ = process.communicate(timeout=60)
    assert (process.returncode, output.count("Applied")) == (0, 1), output


@pytest.fixture(scope="module")
def migrated() -> Iterator[Scratch]:
    with scratch_database(migrated=True) as database:
        yield database


class TestAGeneratedMigration:
    @pytest.fixture
    def generate(self, tmp_path: Path) -> tuple[str, ...]:
        locations = f"{ROOT}/alembic/versions:{tmp_path}"
        (tmp_path / "alembic.ini").write_text(
            f"[alembic]\nscript_location = {ROOT}/alembic\nversion_locations = {locations}\npath_separator = os\n"
        )
        options = "--autogenerate", "--version-path", str(tmp_path), "-m", "generated"
        return "alembic", "-c", str(tmp_path / "alembic.ini"), "revision", *options

    def test_without_changes_is_not_written(self, migrated: Scratch, generate: tuple[str, ...], tmp_path: Path) -> None:
        output = migrated.run(*generate).stdout
        assert "Models and database do not differ: nothing to migrate." in output
        assert list(tmp_path.glob("*.py")) == []

    def test_comes_with_what_to_check(self, migrated: Scratch, generate: tuple[str, ...], tmp_path: Path) -> None:
        migrated.rows("ALTER TABLE notices RENAME COLUMN body TO text")
        migrated.rows("ALTER TABLE notices ALTER COLUMN title DROP NOT NULL")
        migrated.rows("DROP INDEX ix_notices_expires_at")
        output = migrated.run(*generate).stdout
        assert "notices.body is NOT NULL without server_default" in output
        assert "notices.text is dropped with its values" in output
        assert "If it is renamed (body): op.alter_column('notices', 'text', new_column_name=…)" in output
        assert "notices.title becomes NOT NULL" in output
        assert "An index of notices is created, and writes wait" in output
        assert "postgresql_concurrently=True" in output
        assert len(list(tmp_path.glob("*.py"))) == 1


async def test_an_enum_type_gets_its_new_values(database: Scratch) -> None:
    metadata, upgrade = MetaData(), ops.UpgradeOps([])
    Table("things", metadata, Column("kind", Enum("a", "b", "c", name="kind")), Column("new", Enum("x", name="new")))
    engine = create_async_engine(database.url, poolclass=NullPool)
    async with engine.begin() as connection:
        await connection.execute(text("CREATE TYPE kind AS ENUM ('a')"))
        await connection.run_sync(add_enum_values, metadata.sorted_tables, upgrade)
    added: Any = upgrade.ops
    assert [item.sqltext for item in added] == [f"ALTER TYPE kind ADD VALUE IF NOT EXISTS '{value}'" for value in "bc"]
