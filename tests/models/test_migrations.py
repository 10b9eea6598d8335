from collections.abc import Iterator

import pytest

from tests.support.scratch import Scratch, scratch_database

pytestmark = pytest.mark.process

TABLES = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' ORDER BY 1"
SCHEMA = """
SELECT table_name, column_name, data_type, is_nullable, column_default, character_maximum_length
FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2
"""


@pytest.fixture(scope="module")
def empty() -> Iterator[Scratch]:
    with scratch_database() as database:
        yield database


@pytest.fixture(scope="module")
def migrated(empty: Scratch) -> Scratch:
    """A database that two deployments have migrated at the same time."""
    both = [empty.start("alembic", "upgrade", "head") for _ in range(2)]
    outputs = [process.communicate(timeout=60)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    return empty


class TestMigrations:
    def test_they_match_the_models(self, migrated: Scratch) -> None:
        assert "No new upgrade operations detected" in migrated.run("alembic", "check").stdout

    def test_there_is_one_head(self, migrated: Scratch) -> None:
        heads = migrated.run("alembic", "heads").stdout.splitlines()
        assert len([line for line in heads if "(head)" in line]) == 1

    def test_the_database_is_at_the_head(self, migrated: Scratch) -> None:
        assert "(head)" in migrated.run("alembic", "current").stdout

    def test_they_can_be_reverted_and_applied_again(self, migrated: Scratch) -> None:
        before = migrated.rows(SCHEMA)
        migrated.run("alembic", "downgrade", "base")
        undone = migrated.rows(TABLES)
        migrated.run("alembic", "upgrade", "head")
        assert (undone, migrated.rows(SCHEMA)) == ([("alembic_version",)], before)

    def test_times_have_a_time_zone(self, migrated: Scratch) -> None:
        naive = "SELECT 1 FROM information_schema.columns WHERE data_type = 'timestamp without time zone'"
        assert migrated.rows(f"{naive} AND table_schema = 'public'") == []

    def test_constraints_follow_the_naming_convention(self, migrated: Scratch) -> None:
        names = "SELECT conname FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype <> 'n'"
        ours = [name for (name,) in migrated.rows(names) if not name.startswith("alembic_")]
        assert [name for name in ours if not name.startswith(("pk_", "fk_", "uq_", "ck_"))] == []
