from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.local import initialised
from scripts.local.initialised import InitialisedMark
from tests.support.scratch import Scratch, scratch_database

pytestmark = pytest.mark.process


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Scratch]:
    """A database at a revision, and a project with one migration."""
    monkeypatch.setattr(initialised, "PROJECT_ROOT", tmp_path)
    (tmp_path / "alembic").mkdir()
    (tmp_path / "alembic/one.py").write_text("1")
    with scratch_database() as database:
        database.rows("CREATE TABLE alembic_version (version_num text)")
        database.rows("INSERT INTO alembic_version VALUES ('one')")
        monkeypatch.setenv("SQL_DATABASE_URL", database.url.render_as_string(hide_password=False))
        yield database


class TestTheMark:
    def test_fits_while_nothing_changes(self, database: Scratch, tmp_path: Path) -> None:
        mark = InitialisedMark(tmp_path)
        assert not mark.fits()
        mark.set()
        assert mark.fits()

    def test_does_not_fit_another_migration(self, database: Scratch, tmp_path: Path) -> None:
        InitialisedMark(tmp_path).set()
        (tmp_path / "alembic/two.py").write_text("2")
        assert not InitialisedMark(tmp_path).fits()

    def test_does_not_fit_a_database_that_was_downgraded(self, database: Scratch, tmp_path: Path) -> None:
        InitialisedMark(tmp_path).set()
        database.rows("UPDATE alembic_version SET version_num = 'zero'")
        assert not InitialisedMark(tmp_path).fits()

    def test_does_not_fit_other_stores(
        self, database: Scratch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        InitialisedMark(tmp_path).set()
        monkeypatch.setenv("MONGO_DATABASE_URL", "mongodb://another")
        assert not InitialisedMark(tmp_path).fits()

    def test_is_not_set_for_a_database_that_does_not_answer(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SQL_DATABASE_URL", "postgresql+asyncpg://a:b@127.0.0.1:1/none")
        InitialisedMark(tmp_path).set()
        assert not InitialisedMark(tmp_path).fits()
