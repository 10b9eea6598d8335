"""A program that cannot work says so in one line, with what to do."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import text

from src.core.resources import Resources
from tests.support.scratch import Scratch, scratch_database
from tests.support.served import process
from tests.support.waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.process


@pytest.fixture
def empty() -> Iterator[Scratch]:
    """A database without a schema."""
    with scratch_database() as scratch:
        yield scratch


@pytest.fixture
async def wrong_password(resources: Resources) -> AsyncIterator[str]:
    """A URL whose password is wrong: the test servers trust everybody, so the role may not log in at all."""
    name = f"test_{uuid4().hex}"
    async with resources.engine.begin() as connection:
        await connection.execute(text(f"CREATE ROLE {name} NOLOGIN"))
    yield resources.engine.url.set(username=name, password="wrong").render_as_string(hide_password=False)
    async with resources.engine.begin() as connection:
        await connection.execute(text(f"DROP ROLE {name}"))


def run(scratch: Scratch, *module: str, **environment: str) -> tuple[int, str]:
    """The exit code of a program and its output."""
    program = scratch.start(*module, **environment)
    output, _ = program.communicate(timeout=PATIENCE_SECONDS)
    assert program.returncode is not None
    return program.returncode, output


COMMANDS = [("alembic", "upgrade", "head"), ("src.initdb",), ("src.manage", "user", "unlock", "somebody")]


class TestOnAnEmptySchema:
    @pytest.mark.parametrize("command", COMMANDS[1:], ids=" ".join)
    def test_a_command_is_one_line(self, empty: Scratch, command: tuple[str, ...]) -> None:
        code, output = run(empty, *command)
        assert (code, len(output.splitlines())) == (1, 1), output
        assert "migrate.sh" in output

    def test_the_api_is_one_line(self, empty: Scratch) -> None:
        code, output = run(empty, "uvicorn", "src.main:app", "--port", "0")
        assert (code, "Traceback" in output, "migrate.sh" in output.splitlines()[-1]) == (3, False, True), output
        assert len(output.splitlines()) < 6


class TestWithAWrongPassword:
    @pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
    def test_a_command_is_one_line(self, empty: Scratch, wrong_password: str, command: tuple[str, ...]) -> None:
        code, output = run(empty, *command, SQL_DATABASE_URL=wrong_password)
        assert (code, len(output.splitlines())) == (1, 1), output
        assert "SQL_DATABASE_URL" in output

    async def test_the_api_starts_and_is_not_ready(self, wrong_password: str, tmp_path: Path) -> None:
        output = tmp_path / "output"
        async with process(output, SQL_DATABASE_URL=wrong_password) as url, httpx.AsyncClient(base_url=url) as client:
            statuses = [(await client.get(path)).status_code for path in ("/livez", "/readyz")]
        assert statuses == [200, 503]
        assert "traceback" not in output.read_text().lower()
        assert "exc_type" not in output.read_text()
