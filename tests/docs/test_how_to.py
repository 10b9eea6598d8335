"""docs/how-to: each page is done in a copy of the project, and the tests that the pages show run there."""

import re
import shutil
from pathlib import Path

import pytest

from tests.docs.project import HEAD, apply, copy_project, run, run_tests
from tests.docs.readme import ROOT, blocks
from tests.docs.test_configuration import FIELDS, FOREIGN

PAGES = sorted(page for page in (ROOT / "docs/how-to").glob("*.md") if not page.name.endswith(("README.md", "-CN.md")))
KINDS = {"python", "bash", "dotenv", "http", "sql", "markdown"}
OF_UVICORN = {"FORWARDED_ALLOW_IPS"}


@pytest.mark.process
def test_the_pages_work_as_written(tmp_path: Path) -> None:
    project = copy_project(tmp_path / "project")
    if (cache := ROOT / ".mypy_cache").exists():  # of what the pages do not change
        shutil.copytree(cache, project / cache.name)
    files = [file for page in PAGES for file in apply(project, page)]
    tests = [file for file in files if file.startswith("tests/")]
    assert len(tests) >= 25
    run(project, ["ruff", "check", "--quiet", "--ignore", "I001,D101,D102,RUF012", "src", *tests], {})
    run(project, ["mypy", *files], {})
    run_tests(project, tests)


def test_there_are_many() -> None:
    assert len(PAGES) >= 30


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
class TestAPage:
    def test_fits_a_screen(self, page: Path) -> None:
        assert len(page.read_text().splitlines()) <= 110

    def test_has_examples_of_kinds_that_are_checked(self, page: Path) -> None:
        kinds = set(re.findall(r"^```(\w*)$", page.read_text(), re.MULTILINE)) - {""}
        assert kinds
        assert kinds <= KINDS

    def test_names_settings_that_exist(self, page: Path) -> None:
        names = re.findall(r"^([A-Z0-9_]+)=", "".join(blocks("dotenv", page.read_text())), re.MULTILINE)
        assert [name for name in names if name not in {*FIELDS, *FOREIGN, *OF_UVICORN}] == []

    def test_python_is_code(self, page: Path) -> None:
        for block in blocks("python", page.read_text()):
            head = HEAD.match(block)
            if head is None or (head[2] is None and not (ROOT / head[1]).exists()):
                compile(block, page.name, "exec")

    def test_is_in_the_list(self, page: Path) -> None:
        assert f"]({page.name})" in (ROOT / "docs/how-to/README.md").read_text()
