"""What root does differently; other users do not collect this file."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from scripts.local import account
from scripts.local.errors import LocalError
from scripts.local.postgresql import PostgreSQL
from scripts.local.stores import STORES, embedded_stores
from tests.scripts.local.conftest import make_directory, processes_on

pytestmark = pytest.mark.process


@pytest.fixture
def outside(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Root's place for what others cannot reach, for this test alone; only PostgreSQL is wanted."""
    outside = make_directory()
    monkeypatch.setattr(account, "OUTSIDE", outside)
    outside.chmod(0o711)
    for store in STORES:
        for name in store.settings:
            monkeypatch.delenv(name, raising=False)
        if store is not PostgreSQL:
            monkeypatch.setenv(store.settings[-1], "elsewhere")
    yield outside
    shutil.rmtree(outside)


@pytest.fixture
def closed(directory: Path) -> Path:
    """A data directory below one that only root may enter, such as a clone in its home."""
    directory.chmod(0o711)
    (directory / "closed").mkdir(mode=0o700)
    return directory / "closed" / "data"


class TestClosedClone:
    async def test_keeps_its_database_outside(self, outside: Path, closed: Path) -> None:
        with embedded_stores(closed) as variables:
            connection = await asyncpg.connect(variables["SQL_DATABASE_URL"].replace("+asyncpg", ""))
            data = await connection.fetchval("SHOW data_directory")
            await connection.close()
        assert outside in Path(data).parents

    def test_finds_it_again(self, outside: Path, closed: Path) -> None:
        for _ in range(2):
            with embedded_stores(closed):
                pass
        assert len(list(outside.iterdir())) == 1

    def test_runs_copies_of_programs_that_are_out_of_reach(
        self, outside: Path, closed: Path, directory: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        reaches = account.Account.reaches
        monkeypatch.setattr(
            account.Account, "reaches", lambda self, path: path.name != "postgres" and reaches(self, path)
        )
        with embedded_stores(closed):
            assert any(command.startswith(str(outside)) for command in processes_on(outside))


class TestMovedClone:
    def test_is_told_where_its_data_must_go(self, outside: Path, closed: Path, directory: Path) -> None:
        with embedded_stores(directory / "open"):
            pass
        (directory / "open").rename(closed)
        with pytest.raises(LocalError, match="only root may enter"), embedded_stores(closed):
            pass


class TestDirectory:
    def test_of_another_user_is_refused(self, directory: Path) -> None:
        os.chown(directory, 12345, 12345)
        with pytest.raises(LocalError, match="belongs to"), embedded_stores(directory):
            pass
