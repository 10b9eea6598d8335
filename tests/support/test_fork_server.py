import os
import re
import sys

import pytest

from tests.support.fork_server import run_python
from tests.support.stores import ROOT

pytestmark = pytest.mark.process

IMPORT = re.compile(r"^ *(?:from|import) ([a-z_][\w.]*)", re.MULTILINE)
OPTIONAL = "asyncmy", "opentelemetry", "sentry_sdk"
OURS = "src", "scripts"
SHOW_LEVEL = "from src.core.config import settings; print(settings.app.log_level)"
LEFT = """
import sys
class Left:
    def __del__(self):
        print("deleted", flush=True)
left = Left()
sys.exit("failed")
"""


def test_has_imported_every_library_of_the_application() -> None:
    names = {name for file in (ROOT / "src").rglob("*.py") for name in IMPORT.findall(file.read_text())}
    libraries = {name for name in names if name.partition(".")[0] not in {*sys.stdlib_module_names, *OPTIONAL, *OURS}}
    imported = run_python("-c", "import sys; print(*sys.modules)").stdout.split()
    assert "celery.schedules" in libraries
    assert libraries - {*imported} == set()


@pytest.mark.parametrize("level", ["WARNING", "ERROR"])
def test_reads_its_own_settings(level: str) -> None:
    assert run_python("-c", SHOW_LEVEL, environment={**os.environ, "LOG_LEVEL": level}).stdout == f"{level}\n"


def test_ends_if_its_settings_cannot_be_used() -> None:
    ended = run_python("-c", "import src.core.config", environment={**os.environ, "LOG_LEVEL": "banana"})
    assert (ended.returncode, ended.stderr.count("\n")) == (1, 1)


def test_ends_as_any_program_does() -> None:
    ended = run_python("-c", LEFT)
    assert (ended.returncode, ended.stdout, ended.stderr) == (1, "deleted\n", "failed\n")
