"""docs/tutorials: what a reader writes and types, in one copy of the project, in the order of the pages."""

import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.project import apply_block, copy_project, run, run_tests
from tests.docs.readme import ROOT
from tests.support.scratch import scratch_database

PAGES = [
    ROOT / f"docs/tutorials/{name}.md" for name in ("first-change", "first-hour", "live-dashboard", "nightly-report")
]
# What the test runs; it runs all tests of the pages together, and the documents' snapshots once.
RUN = ("./scripts/new-feature.sh", "./scripts/alembic/")
TESTS = "./scripts/test.sh "
# Clones, servers and builds that other tests show.
OTHERS = (
    *("docker compose", "source .venv/bin/activate"),
    *("ruff check --fix .", "ruff format .", "python -m scripts.reference --documents"),
    *(f"./scripts/{name}.sh" for name in ("dev", "console", "make-env", "manage")),
)
# Other tests that such changes concern.
CONCERNED = (
    "tests/models/test_migrations.py::TestMigrations::test_they_match_the_models",
    *(f"tests/api/test_openapi.py::{name}" for name in ("TestExamples", "TestProse", "TestErrors")),
    *("tests/docs/test_new_feature.py", "tests/console/test_translations.py"),
)


def steps(page: Path) -> Iterator[tuple[str, str]]:
    """Language and code of each block, in order."""
    for indent, language, code in re.findall(
        r"^( *)```(\w+)\n(.+?)^\1```$", page.read_text(), re.MULTILINE | re.DOTALL
    ):
        yield language, re.sub(rf"^{indent}", "", code, flags=re.MULTILINE)


@pytest.mark.process
@pytest.mark.slow
def test_they_work_as_written(tmp_path: Path) -> None:
    project = copy_project(tmp_path / "project")
    tests: list[str] = []
    with scratch_database(migrated=True) as database:
        url = database.url.render_as_string(hide_password=False)
        for page in PAGES:
            for language, code in steps(page):
                if language in ("python", "ts"):
                    apply_block(project, code, page.name)
                for line in code.splitlines() if language == "bash" else ():
                    if line.startswith(RUN):
                        run(project, shlex.split(line), {"SQL_DATABASE_URL": url})
                    elif line.startswith(TESTS):
                        tests += shlex.split(line)[1:]
        assert len(tests) == 5
        run(project, ["ruff", "check", "--fix", "--quiet", "src", *tests], {})
        run(project, ["python", "-m", "scripts.reference", "--documents"], {})
        run_tests(project, [*tests, *CONCERNED])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_commands_are_run_here_or_elsewhere(page: Path) -> None:
    lines = [line for language, code in steps(page) if language == "bash" for line in code.splitlines()]
    assert [line for line in lines if not line.startswith((*RUN, TESTS, *OTHERS))] == []
    programs = [shlex.split(line)[0] for line in lines if line.startswith("./")]
    assert [program for program in programs if not os.access(ROOT / program, os.X_OK)] == []
