"""The README's first change, made in a copy of the project exactly as it is written there."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.readme import ROOT, blocks, section
from tests.support.scratch import scratch_database

pytestmark = pytest.mark.process

LEFT_OUT = shutil.ignore_patterns(
    "node_modules", ".git", ".venv", ".local", ".env", ".env.pytest", "__pycache__", ".coverage*", "htmlcov"
)
GUIDE = section("Make your first change")
MODEL, SCHEMA, TEST = blocks("python", GUIDE)
MIGRATION, CHECKS = (block.splitlines() for block in blocks("bash", GUIDE))


def insert(project: Path, block: str, below: str, *, times: int = 1) -> None:
    """Insert a block below everything that matches, in the file that its first line names."""
    heading, _, code = block.partition("\n")
    file = project / heading.removeprefix("# ").partition(",")[0]
    text, count = re.subn(below, lambda found: f"{found[0]}{code}", file.read_text(), flags=re.MULTILINE)
    assert count == times, file
    file.write_text(text)


def run(project: Path, command: str, database: str) -> None:
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("COV", "PYTHONPYCACHE"))}
    path = f"{Path(sys.executable).parent}{os.pathsep}{ours['PATH']}"
    environment = {**ours, "BOOTSTRAP": "0", "PATH": path, "SQL_DATABASE_URL": database}
    done = subprocess.run(shlex.split(command), cwd=project, env=environment, capture_output=True, text=True)  # noqa: S603 - a line of the README
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"


class TestTheFirstChange:
    def test_works_as_written(self, tmp_path: Path) -> None:
        project = tmp_path / "project"
        shutil.copytree(ROOT, project, ignore=LEFT_OUT, symlinks=True)
        insert(project, MODEL, r"^    body: .*\n")
        insert(project, SCHEMA, r"(?s)^class Notice(?:Create|Response)\b.+?^    body: [^\n]*\n[^\n]*\n", times=2)
        insert(project, TEST, r"(?s)^class TestPublish:\n.+?\n(?=\n\nclass )")
        keys = project / "tests/api/test_notices.py"
        keys.write_text(keys.read_text().replace('"expiresAt"}', '"expiresAt", "pinned"}', 1))
        with scratch_database() as empty:
            url = empty.url.render_as_string(hide_password=False)
            run(project, "./scripts/alembic/migrate.sh", url)
            for command in (*MIGRATION, *CHECKS):
                run(project, command, url)
            # Other tests that a change of a notice concerns.
            others = "tests/docs/test_new_feature.py tests/models/test_migrations.py tests/api/test_openapi.py"
            run(project, f"python -m pytest -q {others}", url)
            for document in ("openapi", "asyncapi"):
                run(project, f"./scripts/manage.sh {document} --check", url)
