import json
import os
import subprocess
import sys
from typing import Any

import pytest

from tests.support.stores import ROOT

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


def run(environment: str) -> list[str]:
    command = [sys.executable, "-c", PROGRAM]
    variables = os.environ | {"ENVIRONMENT": environment}
    ended = subprocess.run(  # noqa: S603 - our own
        command, cwd=ROOT, env=variables, capture_output=True, text=True, check=True
    )
    return ended.stdout.splitlines()


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


class TestRow45Secrets:
    def test_values_of_secret_names_are_masked(self, output: list[str]) -> None:
        assert "hunter2" not in "".join(output)

    def test_their_names_stay(self, entries: list[dict[str, Any]]) -> None:
        assert entries[2]["password"] == "***"


class TestLocal:
    def test_it_is_for_people(self) -> None:
        assert not run("LOCAL")[0].startswith("{")
