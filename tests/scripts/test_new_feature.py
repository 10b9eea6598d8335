"""scripts/new-feature.sh on a copy of the project: what it writes passes all checks, and the tests about all routes."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.new_feature.noun import RefusedError, parse
from scripts.new_feature.revision import next_revision

pytestmark = pytest.mark.process

ROOT = Path(__file__).resolve().parents[2]
LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", ".local", ".env", ".env.pytest", "__pycache__", ".coverage*", "htmlcov"
)
# One word, two words, and a plural that is not the word with an s; each migration follows the one before. Words that no
# project has: this runs where the guide's `invoice` was generated, too.
NOUNS = ["zeppelin", "paper_kite", "dragonfly"]
TESTS = [
    *("tests/api/test_zeppelins.py", "tests/queues/test_dragonflies.py", "tests/websockets/test_paper_kite.py"),
    *("tests/models", "tests/security/test_access.py", "tests/api/test_permission_codes.py"),
    *("tests/websockets/asyncapi/test_asyncapi.py", "tests/docs/test_sockets.py"),
]
SHOW = """
from src.main import rest
print(*(route.code for route in rest.state.registry.routes), *rest.openapi()["paths"])
"""


def environment() -> dict[str, str]:
    """Ours, with the stores that run already; what the copy's tests cover is not the project's coverage."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    return {**ours, "BOOTSTRAP": "0", "PATH": f"{Path(sys.executable).parent}{os.pathsep}{ours['PATH']}"}


def run(project: Path, *command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, cwd=project, env=environment(), capture_output=True, text=True, check=False)  # noqa: S603 - our own


def texts(project: Path) -> dict[Path, bytes]:
    folders = ("alembic", "src", "tests")
    return {file: file.read_bytes() for folder in folders for file in (project / folder).rglob("*.py")}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = tmp_path_factory.mktemp("copy") / "project"
    shutil.copytree(ROOT, project, ignore=LEFT_OUT, symlinks=True)
    for noun in NOUNS:
        done = run(project, "scripts/new-feature.sh", noun)
        assert done.returncode == 0, done.stderr
    return project


class TestAFeature:
    def test_passes_the_checks(self, project: Path) -> None:
        done = run(project, "scripts/check/lint.sh")
        assert done.returncode == 0, done.stdout + done.stderr

    def test_passes_its_tests_and_those_of_every_route_event_and_migration(self, project: Path) -> None:
        done = run(project, sys.executable, "-m", "pytest", "-q", *TESTS)
        assert done.returncode == 0, done.stdout + done.stderr

    def test_is_in_the_documentation_and_can_be_granted(self, project: Path) -> None:
        known = run(project, sys.executable, "-c", SHOW).stdout.split()
        one = "/api/v1/paper-kites/{paperKiteId}"
        codes = {f"{method}:{one}" for method in ("GET", "PATCH", "DELETE")}
        assert codes | {"POST:/api/v1/paper-kites", "SOCKET:paper_kite.get", one} <= set(known)


class TestARefusal:
    @pytest.mark.parametrize("word", ["Invoice-1", "invoice order", "1st", "in__voice", "class", "list", "x" * 31, ""])
    def test_of_what_is_no_name(self, word: str) -> None:
        with pytest.raises(RefusedError, match=r"is no name such as|is a word of Python"):
            parse(word)

    def test_of_a_plural(self) -> None:
        with pytest.raises(RefusedError, match="looks like a plural"):
            parse("invoices")

    def test_of_a_plural_that_is_the_singular(self) -> None:
        with pytest.raises(RefusedError, match="needs another word"):
            parse("series", "series")

    @pytest.mark.parametrize(
        ("noun", "reason"),
        [
            ("notice", "src/api/v1/notices.py exists already."),
            ("dragonfly", "src/api/v1/dragonflies.py exists already."),
            ("outbox_message", "OutboxMessage or its table exists already, in src/models/outbox.py."),
            ("page", "'page' would mean two things in src/schemas/page.py: take another name."),
            ("Invoice-1", "'Invoice-1' is no name"),
        ],
    )
    def test_is_one_line_and_writes_nothing(self, project: Path, noun: str, reason: str) -> None:
        before = texts(project)
        done = run(project, "scripts/new-feature.sh", noun)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
        assert done.stderr.startswith(reason)
        assert done.stderr.endswith("Nothing was written.\n")
        assert texts(project) == before


class TestAMigration:
    def test_joins_branches(self, tmp_path: Path) -> None:
        shutil.copy(ROOT / "alembic.ini", tmp_path)
        shutil.copytree(ROOT / "alembic", tmp_path / "alembic")
        head = next_revision(tmp_path)["down_revision"]
        for name in ("left", "right"):
            text = f'revision = "{name}"\ndown_revision = {head}\nbranch_labels = depends_on = None\n'
            (tmp_path / f"alembic/versions/{name}.py").write_text(text)
        assert next_revision(tmp_path)["down_revision"] in {"('left', 'right')", "('right', 'left')"}


class TestAPlural:
    @pytest.mark.parametrize(
        ("noun", "plural"),
        [
            ("invoice", "invoices"),
            ("category", "categories"),
            ("survey", "surveys"),
            ("tax", "taxes"),
            ("batch", "batches"),
            ("address", "addresses"),
            ("status", "statuses"),
            ("analysis", "analyses"),
            ("purchase_order", "purchase_orders"),
        ],
    )
    def test_follows_english(self, noun: str, plural: str) -> None:
        assert parse(noun).plural == plural

    def test_may_be_given(self) -> None:
        assert parse("lens", "lenses").spellings()["path"] == "lenses"
