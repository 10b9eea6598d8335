"""Migrations of a database of `SQL_DATABASES`: its models never land in those of the primary."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.config import CommandLine
from pydantic import SecretStr
from sqlalchemy import Column, Integer, Table
from sqlmodel import SQLModel
from sqlmodel.main import default_registry

from src.core.config import settings
from tests.support.scratch import Scratch, scratch_database
from tests.support.stores import ROOT

pytestmark = pytest.mark.process

TABLES = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' ORDER BY 1"


@pytest.fixture(scope="module")
def primary() -> Iterator[Scratch]:
    with scratch_database(migrated=True) as database:
        yield database


@pytest.fixture
def reports() -> Iterator[Scratch]:
    """The second database, with a table that somebody else migrates."""
    with scratch_database() as database:
        database.rows("CREATE TABLE theirs (id int)")
        yield database


@pytest.fixture(autouse=True)
def databases(primary: Scratch, reports: Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
    url, named = (SecretStr(it.url.render_as_string(hide_password=False)) for it in (primary, reports))
    changed = settings.sql.model_copy(update={"database_url": url, "databases": {"reports": named}})
    monkeypatch.setattr(settings, "sql", changed)


@pytest.fixture(autouse=True)
def models(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the product alone: other tests, which may be imported, have tables as well."""
    for mapper in default_registry.mappers:
        if not mapper.class_.__module__.startswith("src."):
            monkeypatch.setitem(mapper.local_table.info, "database", "tests")  # type: ignore[attr-defined]  # a table


@pytest.fixture(autouse=True)
def table() -> Iterator[Table]:
    """A table of the second database."""
    info = {"database": "reports"}
    table = Table("reported", SQLModel.metadata, Column("id", Integer, primary_key=True), info=info)
    yield table
    SQLModel.metadata.remove(table)


@pytest.fixture
def versions(tmp_path: Path) -> Path:
    """An empty folder of revisions for each of the two."""
    text = (ROOT / "alembic.ini").read_text().replace("script_location = alembic", f"script_location = {ROOT}/alembic")
    text = text.replace("[alembic]", f"[alembic]\nversion_locations = {ROOT}/alembic/versions:{tmp_path}/own")
    (tmp_path / "alembic.ini").write_text(f"{text}\n[reports]\nversion_locations = {tmp_path}/reports\n")
    for name in ("own", "reports"):
        (tmp_path / name).mkdir()
    return tmp_path


def alembic(versions: Path, *arguments: str) -> None:
    CommandLine().main(["-c", str(versions / "alembic.ini"), *arguments])


def test_a_model_of_another_database_changes_nothing(versions: Path, capsys: pytest.CaptureFixture[str]) -> None:
    alembic(versions, "revision", "--autogenerate", "-m", "none", "--version-path", str(versions / "own"))
    assert "Models and database do not differ: nothing to migrate." in capsys.readouterr().out
    assert list((versions / "own").glob("*.py")) == []


def test_a_named_database_has_migrations_of_its_own(
    versions: Path, primary: Scratch, reports: Scratch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = primary.rows("SELECT version_num FROM alembic_version")
    alembic(versions, "-n", "reports", "revision", "--autogenerate", "-m", "add reported")
    (revision,) = (versions / "reports").glob("*.py")
    assert "create_table" in revision.read_text()
    assert "theirs" not in revision.read_text()
    alembic(versions, "-n", "reports", "upgrade", "head")
    assert reports.rows(TABLES) == [("alembic_version",), ("reported",), ("theirs",)]
    assert primary.rows("SELECT version_num FROM alembic_version") == before
    assert ("reported",) not in primary.rows(TABLES)
    alembic(versions, "-n", "reports", "revision", "--autogenerate", "-m", "none")
    assert "nothing to migrate" in capsys.readouterr().out
    alembic(versions, "-n", "reports", "downgrade", "base")
    assert reports.rows(TABLES) == [("alembic_version",), ("theirs",)]


def test_an_unknown_name_is_one_line(versions: Path) -> None:
    (versions / "alembic.ini").write_text((versions / "alembic.ini").read_text().replace("[reports]", "[report]"))
    with pytest.raises(SystemExit, match="SQL_DATABASES has no PostgreSQL database named 'report'"):
        alembic(versions, "-n", "report", "upgrade", "head")
