"""scripts/new-feature.sh on a copy of the project: what it writes passes all checks, and the tests about all routes."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts.new_feature import __main__ as new_feature
from scripts.new_feature.console import MENU, TRANSLATIONS, add_page, page_of, without_page
from scripts.new_feature.noun import RefusedError, parse
from scripts.new_feature.revision import next_revision
from tests.models.test_migrations import INDEXES, SCHEMA
from tests.support.scratch import Scratch, scratch_database

pytestmark = pytest.mark.process

ROOT = Path(__file__).resolve().parents[2]
LEFT_OUT = shutil.ignore_patterns(
    "node_modules", ".git", ".venv", ".local", ".env", ".env.pytest", "__pycache__", ".coverage*", "htmlcov"
)
# Two words, and a plural that is not the word with an s; one migration follows the other. Words that no project has:
# this runs where the guide's `invoice` was generated, too.
NOUNS = ["paper_kite", "dragonfly"]
MIGRATIONS = "tests/models/test_migrations.py::TestMigrations"
# Those whose result a feature can change; TestARemoval reverts its migration.
TESTS = [
    *("tests/api/test_paper_kites.py", "tests/queues/test_dragonflies.py", "tests/websockets/test_paper_kite.py"),
    *("tests/api/test_openapi.py", "tests/api/test_examples.py"),
    *("tests/models/test_migrations.py", "--deselect", f"{MIGRATIONS}::test_each_can_be_reverted_and_applied_again"),
    *("tests/security/test_access.py", "tests/api/test_permission_codes.py"),
    *("tests/websockets/asyncapi/test_asyncapi.py::TestTheProduct", "tests/docs/test_sockets.py::TestTheTables"),
]
LATER = '''\
"""count the seats"""

import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = {down_revision}
branch_labels = depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("paper_kites", sa.Column("seats", sa.Integer()))


def downgrade() -> None:
    """Undo."""
    op.drop_column("paper_kites", "seats")
'''


def environment() -> dict[str, str]:
    """Ours, with the stores that run already; what the copy's tests cover is not the project's coverage."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("COV", "PYTHONPYCACHE"))}
    return {**ours, "BOOTSTRAP": "0", "PATH": f"{Path(sys.executable).parent}{os.pathsep}{ours['PATH']}"}


def run(project: Path, *command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, cwd=project, env=environment(), capture_output=True, text=True, check=False)  # noqa: S603 - our own


def sources(files: dict[str, bytes]) -> dict[str, bytes]:
    """Those of the code, without migrations."""
    return {path: text for path, text in files.items() if path.endswith(".py") and not path.startswith("alembic/")}


def everything(project: Path) -> dict[str, bytes]:
    """What a feature may change."""
    folders = ("alembic", "docs", "src", "tests")
    files = [file for folder in folders for file in (project / folder).rglob("*") if file.is_file()]
    return {str(file.relative_to(project)): file.read_bytes() for file in files if "__pycache__" not in file.parts}


@pytest.fixture(scope="module")
def before() -> dict[str, dict[str, bytes]]:
    """What the project had before each feature, by its noun; `project` notes it."""
    return {}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, before: dict[str, dict[str, bytes]]) -> Path:
    project = tmp_path_factory.mktemp("copy") / "project"
    shutil.copytree(ROOT, project, ignore=LEFT_OUT, symlinks=True)
    for noun in NOUNS:
        before[noun] = everything(project)
        done = run(project, "scripts/new-feature.sh", noun)
        assert done.returncode == 0, done.stderr
    return project


@pytest.fixture
def refused(project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Calls what the script runs, in the project; returns the error of a refusal, which prints nothing else."""

    def call(*arguments: str) -> str:
        monkeypatch.setattr(new_feature, "ROOT", project)
        monkeypatch.setattr("sys.argv", ["new-feature.sh", *arguments])
        error = new_feature.main()
        assert error is not None
        assert (capsys.readouterr(), error.count("\n")) == (("", ""), 0)
        return error

    return call


class TestAFeature:
    def test_passes_the_checks(self, project: Path) -> None:
        done = run(project, "scripts/check/lint.sh")
        assert done.returncode == 0, done.stdout + done.stderr

    def test_passes_its_tests_and_those_of_every_route_event_and_migration(self, project: Path) -> None:
        done = run(project, sys.executable, "-m", "pytest", "-q", *TESTS)
        assert done.returncode == 0, done.stdout + done.stderr

    def test_is_in_the_documentation_and_can_be_granted(self, project: Path) -> None:
        one = "/api/v1/paper-kites/{paperKiteId}"
        assert one in json.loads((project / "tests/api/openapi.json").read_text())["paths"]
        grantable = re.findall(r"^\| `(\S+)`", (project / "docs/reference/permissions.md").read_text(), re.MULTILINE)
        codes = {f"{method}:{one}" for method in ("GET", "PATCH", "DELETE")}
        assert codes | {"POST:/api/v1/paper-kites", "SOCKET:paper_kite.get"} <= set(grantable)


class TestARefusal:
    @pytest.mark.parametrize("word", ["Invoice-1", "invoice order", "1st", "in__voice", "class", "list", "x" * 31, ""])
    def test_of_what_is_no_name(self, word: str) -> None:
        with pytest.raises(RefusedError, match=r"is not a name such as|is a Python keyword or builtin"):
            parse(word)

    def test_of_a_plural(self) -> None:
        with pytest.raises(
            RefusedError, match="looks like a plural: give the singular, or pass --plural if 'invoices' is a singular"
        ):
            parse("invoices")

    def test_of_a_plural_that_is_the_singular(self) -> None:
        with pytest.raises(RefusedError, match="needs a different plural"):
            parse("series", "series")

    @pytest.mark.parametrize(
        ("noun", "reason"),
        [
            ("notice", "src/api/v1/notices.py exists already."),
            ("dragonfly", "src/api/v1/dragonflies.py exists already."),
            ("outbox_message", "OutboxMessage or its table exists already, in src/models/outbox.py."),
            ("page", "'page' collides with another name in src/schemas/page.py: choose another one."),
            ("Invoice-1", "'Invoice-1' is not a name"),
        ],
    )
    def test_is_one_line_and_writes_nothing(
        self, project: Path, refused: Callable[..., str], noun: str, reason: str
    ) -> None:
        before = everything(project)
        error = refused(noun)
        assert error.startswith(reason)
        assert error.endswith("Nothing was written.")
        assert everything(project) == before

    def test_is_an_error_of_the_script(self, project: Path) -> None:
        done = run(project, "scripts/new-feature.sh", "Invoice-1")
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
        assert done.stderr.endswith("Nothing was written.\n")


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


class TestAPage:
    def test_is_one_file_and_goes_without_a_trace(self, tmp_path: Path) -> None:
        app = tmp_path / "src/console/app"
        shutil.copytree(ROOT / "src/console/app", app, ignore=LEFT_OUT)
        before = {file: file.read_bytes() for file in app.rglob("*") if file.is_file()}
        noun = parse("paper_kite")
        for path, text in add_page(tmp_path, noun, '纸"鸢').items():
            (tmp_path / path).write_text(text)
        assert page_of(noun) == "src/console/app/src/pages/PaperKites.vue"
        page, menu = (tmp_path / page_of(noun)).read_text(), (tmp_path / MENU).read_text()
        assert "/api/v1/paper-kites/{paperKiteId}" in page
        assert all(f"'paper_kite.{change}'" in page for change in ("created", "updated", "deleted"))
        assert '"Paper kites": "纸\\"鸢",\n' in (tmp_path / TRANSLATIONS).read_text()
        assert 'title: "Paper kites"' in menu
        (tmp_path / page_of(noun)).unlink()
        (tmp_path / MENU).write_text(menu.replace('title: "Paper kites"', 'title: "Kites"'))
        for path, text in without_page(tmp_path, noun).items():
            (tmp_path / path).write_text(text)
        assert {file: file.read_bytes() for file in app.rglob("*") if file.is_file()} == before

    def test_has_the_english_title_until_it_is_translated(self) -> None:
        assert '"Paper kites": "Paper kites",\n' in add_page(ROOT, parse("paper_kite"))[TRANSLATIONS]


class TestARemoval:
    """On a copy of its own, and on a database that has run the features' migrations; in this order."""

    @pytest.fixture(scope="class")
    @classmethod
    def copy(cls, project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
        return shutil.copytree(project, tmp_path_factory.mktemp("removal") / "project", symlinks=True)

    @pytest.fixture(scope="class")
    @classmethod
    def database(cls) -> Iterator[Scratch]:
        with scratch_database(migrated=True) as database:
            yield database

    @pytest.fixture(scope="class")
    @classmethod
    def schema(cls, database: Scratch) -> list[tuple[Any, ...]]:
        """Columns and indexes before the features' migrations."""
        return database.rows(SCHEMA) + database.rows(INDEXES)

    @pytest.fixture(scope="class")
    @classmethod
    def in_copy(cls, copy: Path, database: Scratch) -> Callable[..., str]:
        """Runs a command there; it must succeed."""
        variables = {**environment(), "SQL_DATABASE_URL": database.url.render_as_string(hide_password=False)}

        def run_in_copy(*command: str) -> str:
            done = subprocess.run(command, cwd=copy, env=variables, capture_output=True, text=True, check=False)  # noqa: S603 - our own
            assert done.returncode == 0, done.stdout + done.stderr
            return done.stdout

        return run_in_copy

    @pytest.mark.usefixtures("schema")
    def test_leaves_the_tree_as_it_was(
        self, copy: Path, database: Scratch, in_copy: Callable[..., str], before: dict[str, dict[str, bytes]]
    ) -> None:
        in_copy("scripts/alembic/migrate.sh")
        database.rows(
            "INSERT INTO roles (id, create_time, update_time, name, code, description, status, version,"
            " interface_permissions, button_permissions, router_permissions) VALUES"
            " (gen_random_uuid(), now(), now(), 'Pilot', 'pilot', '', true, 1,"
            " ARRAY['GET:/api/v1/notices', 'GET:/api/v1/dragonflies', 'SOCKET:dragonfly.get'], '{}', '{}')"
        )
        output = in_copy("scripts/new-feature.sh", "--remove", "dragonfly")
        assert "SOCKET:dragonfly.get" in output
        assert everything(copy) == before["dragonfly"]

    def test_undoes_its_migration(self, database: Scratch, in_copy: Callable[..., str]) -> None:
        assert database.rows("SELECT to_regclass('dragonflies')") == [(None,)]
        assert in_copy("scripts/alembic/migrate.sh").startswith("The database is at revision")

    def test_takes_its_codes_out_of_roles(self, database: Scratch) -> None:
        assert database.rows("SELECT interface_permissions FROM roles") == [(["GET:/api/v1/notices"],)]

    def test_of_a_released_feature_writes_a_migration(
        self, copy: Path, database: Scratch, in_copy: Callable[..., str], before: dict[str, dict[str, bytes]]
    ) -> None:
        later = "alembic/versions/20990101_0000_count_the_seats.py"
        (copy / later).write_text(LATER.format(**next_revision(copy)).replace("'", '"'))
        in_copy("scripts/alembic/migrate.sh")
        database.rows("UPDATE roles SET interface_permissions = ARRAY['POST:/api/v1/paper-kites', 'SOCKET:chat.send']")
        in_copy("git", "init", "--quiet")
        in_copy("git", "add", "alembic")
        output = in_copy("scripts/new-feature.sh", "--remove", "paper_kite")
        assert f"_add_paper_kites.py: add what {later} changed" in output
        assert in_copy("scripts/alembic/migrate.sh").splitlines()[0].endswith("remove paper kites")
        assert database.rows("SELECT to_regclass('paper_kites')") == [(None,)]
        assert database.rows("SELECT interface_permissions FROM roles") == [(["SOCKET:chat.send"],)]
        assert sources(everything(copy)) == sources(before["paper_kite"])

    def test_can_be_undone(self, database: Scratch, in_copy: Callable[..., str], schema: list[tuple[Any, ...]]) -> None:
        in_copy("scripts/alembic/downgrade.sh", "-1")
        assert database.rows("SELECT to_regclass('paper_kites')::text") == [("paper_kites",)]
        in_copy("scripts/alembic/migrate.sh")
        assert database.rows(SCHEMA) + database.rows(INDEXES) == schema

    def test_passes_the_checks(self, copy: Path, in_copy: Callable[..., str]) -> None:
        in_copy("ruff", "check", ".")
        in_copy("ruff", "format", "--check", ".")

    def test_of_nothing_is_refused(self, project: Path) -> None:
        done = run(project, "scripts/new-feature.sh", "--remove", "nothing_of_the_kind")
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == "There is no feature 'nothing_of_the_kind'. Nothing was changed.\n"

    def test_of_the_example_names_the_page(self, project: Path, refused: Callable[..., str]) -> None:
        error = refused("--remove", "notice")
        assert "src/manage/demo_data.py" in error
        assert "docs/new-feature.md" in error
        assert (project / "src/models/notice.py").exists()

    @pytest.mark.parametrize(
        ("path", "old", "new"),
        [
            ("src/utils/text.py", "import re\n", "import re\nimport src.models.dragonfly  # <- HERE\n"),
            (
                "src/schemas/events.py",
                '    "notice.pub',
                '    "dragonfly.seen": DragonflyRef,  # <- HERE\n    "notice.pub',
            ),
            (
                "src/schemas/events.py",
                "from src.schemas.dragonfly import DragonflyRef\n",
                "from src.schemas.dragonfly import (\n    DragonflyRef,\n    DragonflyResponse,  # <- HERE\n)\n",
            ),
            (
                "src/queues/beat_schedule.py",
                '    "outbox',
                '    "x": {"task": "dragonflies.count"},  # <- HERE\n    "outbox',
            ),
            (
                "src/services/chat.py",
                "class ChatService",
                'def count(uow: Any) -> None:\n    uow.enqueue("dragonflies.purge")  # <- HERE\n\n\nclass ChatService',
            ),
            (
                "src/console/app/src/components/GlobalSearch.vue",
                "</script>",
                'call("GET:/api/v1/dragonflies", {}); // <- HERE\n</script>',
            ),
        ],
    )
    def test_of_what_others_use_is_refused(
        self, project: Path, refused: Callable[..., str], path: str, old: str, new: str
    ) -> None:
        file, text = project / path, (project / path).read_text()
        assert old in text
        file.write_text(text.replace(old, new, 1))
        (line,) = [number for number, line in enumerate(file.read_text().splitlines(), 1) if "<- HERE" in line]
        before = everything(project)
        error = refused("--remove", "dragonfly")
        after = everything(project)
        file.write_text(text)
        assert error == f"'dragonfly' is used at {path}:{line}. Remove that first. Nothing was changed."
        assert after == before

    def test_that_fails_half_way_puts_everything_back(self, project: Path) -> None:
        router = project / "src/api/v1/router.py"
        text = router.read_text()
        router.write_text(text + 'import_module("src.crud." + "dragonfly")\n')  # which reading the code does not show
        before = everything(project)
        done = run(project, "scripts/new-feature.sh", "--remove", "dragonfly")
        after = everything(project)
        router.write_text(text)
        assert done.stderr == (
            "The application does not start: ModuleNotFoundError: No module named 'src.crud.dragonfly'. "
            "Nothing was changed.\n"
        )
        assert after == before
