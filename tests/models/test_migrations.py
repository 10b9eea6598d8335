from collections.abc import Iterator

import pytest
from alembic.config import CommandLine
from alembic.script import ScriptDirectory
from pydantic import SecretStr

from src.core.config import settings
from tests.support.scratch import Scratch, scratch_database
from tests.support.stores import ROOT

pytestmark = pytest.mark.process

TABLES = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' ORDER BY 1"
SCHEMA = """
SELECT table_name, column_name, data_type, is_nullable, column_default, character_maximum_length
FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2
"""

INDEXES = """
SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND NOT starts_with(indexname, 'search_') ORDER BY 1
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

    def test_each_can_be_reverted_and_applied_again(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with scratch_database(migrated=True) as database:
            url = SecretStr(database.url.render_as_string(hide_password=False))
            monkeypatch.setattr(settings, "sql", settings.sql.model_copy(update={"database_url": url}))
            for revision in ScriptDirectory(str(ROOT / "alembic")).walk_revisions():
                if revision.is_merge_point:  # changes nothing; now a database is at the heads of both branches
                    CommandLine().main(["stamp", "--purge", *(revision.down_revision or ())])
                    continue
                revert = ["downgrade", f"{revision.revision}@-1"]
                after = database.rows(SCHEMA) + database.rows(INDEXES)
                CommandLine().main(revert)
                before = database.rows(SCHEMA) + database.rows(INDEXES)
                CommandLine().main(["upgrade", revision.revision])
                assert database.rows(SCHEMA) + database.rows(INDEXES) == after, revision
                CommandLine().main(revert)
                assert database.rows(SCHEMA) + database.rows(INDEXES) == before, revision
            assert database.rows(TABLES) == [("alembic_version",)]

    def test_times_have_a_time_zone(self, migrated: Scratch) -> None:
        naive = "SELECT 1 FROM information_schema.columns WHERE data_type = 'timestamp without time zone'"
        assert migrated.rows(f"{naive} AND table_schema = 'public'") == []

    def test_constraints_follow_the_naming_convention(self, migrated: Scratch) -> None:
        names = "SELECT conname FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype <> 'n'"
        ours = [name for (name,) in migrated.rows(names) if not name.startswith("alembic_")]
        assert [name for name in ours if not name.startswith(("pk_", "fk_", "uq_", "ck_"))] == []
