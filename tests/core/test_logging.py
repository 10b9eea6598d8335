import json
import os
from typing import Any

import pytest

from tests.support.fork_server import run_python

pytestmark = pytest.mark.process

PROGRAM = """
import logging, structlog
from src.core.config import settings
from src.core.logging import configure_logging
configure_logging(settings)
log = structlog.get_logger("ours")
log.info("ours", answer=42)
logging.getLogger("theirs").warning("theirs %s", 42)
log.info("secrets", password="hunter2", refresh_token="hunter2", Authorization="hunter2", RSA_PRIVATE_KEY="hunter2")
logging.getLogger("theirs").warning("secrets", extra={"cookie": "hunter2"})
log.debug("quiet")
logging.getLogger("uvicorn.access").info("GET /?token=hunter2")
log.info("two\\nlines")
"""
HOSTILE = """
import logging, structlog
from src.core.config import settings
from src.core.logging import configure_logging, write_info
configure_logging(settings)
log, text = structlog.get_logger("ours"), "".join(map(chr, HOSTILE))
log.info("value", path=f"/{text}", inner=[text], data=text.encode("utf-8", "replace"))
log.info(f"event {text}")
write_info("access", "request", {"path": text})
logging.getLogger("theirs").warning("theirs %s", text)
try:
    raise ValueError(text)
except ValueError:
    log.exception("failed")
    logging.getLogger("theirs").exception("failed")
"""
UNMIGRATED = """
import asyncio, logging, structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from src.core.config import settings
from src.core.logging import configure_logging
configure_logging(settings)
async def select(what):
    async with create_async_engine(settings.sql.url).connect() as connection:
        await connection.execute(text(f"SELECT {what}"))
for what in ("1 FROM no_such_table", "amount FROM users"):
    try:
        asyncio.run(select(what))
    except Exception as error:
        structlog.get_logger("ours").error("unexpected_error", exc_info=error)
        logging.getLogger("theirs").exception("The task failed")
"""
# Escape, NUL and the rest of C0, DEL, C1 with its one-byte CSI, directions of text, separators of lines.
CONTROLS = [*range(0x20), *range(0x7F, 0xA0), 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A), 0xD800]


def run(environment: str, program: str = PROGRAM) -> list[str]:
    ended = run_python("-c", program, environment=os.environ | {"ENVIRONMENT": environment})
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.split("\n")[:-1]


@pytest.fixture(scope="module")
def output() -> list[str]:
    return run("TESTING")


@pytest.fixture(scope="module")
def entries(output: list[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output]


class TestJson:
    def test_a_line_says_what_when_and_how_bad(self, entries: list[dict[str, Any]]) -> None:
        assert entries[0].keys() >= {"event", "timestamp", "level", "logger", "answer"}

    def test_the_standard_library_speaks_the_same_way(self, entries: list[dict[str, Any]]) -> None:
        assert (entries[1]["event"], entries[1]["logger"]) == ("theirs 42", "theirs")

    def test_an_event_with_a_line_break_stays_one_line(self, entries: list[dict[str, Any]]) -> None:
        assert entries[-1]["event"] == "two\nlines"


class TestAMissingSchema:
    @pytest.mark.parametrize("environment", ["LOCAL", "TESTING"])
    def test_is_one_line_that_says_what_to_run(self, environment: str) -> None:
        output = run(environment, UNMIGRATED)
        assert len(output) == 4
        missing = ['relation "no_such_table" does not exist'] * 2 + ['column "amount" does not exist'] * 2
        for line, text in zip(output, missing, strict=True):
            assert f"{text}. Run ./scripts/alembic/migrate.sh." in line.replace("\\", "")


class TestRow45Secrets:
    def test_values_of_secret_names_are_masked(self, output: list[str]) -> None:
        assert "hunter2" not in "".join(output)

    def test_their_names_stay(self, entries: list[dict[str, Any]]) -> None:
        assert entries[2]["password"] == "***"


class TestLocal:
    def test_it_is_for_people(self) -> None:
        assert not run("LOCAL")[0].startswith("{")


class TestEscalation10Terminal:
    @pytest.mark.parametrize("environment", ["LOCAL", "TESTING"])
    def test_nothing_in_a_line_controls_it(self, environment: str) -> None:
        lines = run(environment, HOSTILE.replace("HOSTILE", str(CONTROLS)))
        assert not {chr(code) for code in CONTROLS} & {*"".join(lines)}
        assert len([line for line in lines if "\\u001b" in line]) >= 6

    def test_json_stays_valid(self) -> None:
        lines = run("TESTING", HOSTILE.replace("HOSTILE", str([*CONTROLS[:-1], 0xE9])))
        assert json.loads(lines[2])["path"] == "".join(map(chr, [*CONTROLS[:-1], 0xE9]))
