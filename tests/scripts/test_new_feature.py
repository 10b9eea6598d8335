"""scripts/new-feature.sh on a copy of the project: what it writes passes all checks, and the tests about all routes."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scripts.new_feature.console import MENU, TRANSLATIONS, add_page, page_of, without_page
from scripts.new_feature.noun import RefusedError, parse
from scripts.new_feature.revision import next_revision
from tests.support.scratch import Scratch, scratch_database

pytestmark = pytest.mark.process

ROOT = Path(__file__).resolve().parents[2]
LEFT_OUT = shutil.ignore_patterns(
    "node_modules", ".git", ".venv", ".local", ".env", ".env.pytest", "__pycache__", ".coverage*", "htmlcov"
)
# Two words, and a plural that is not the word with an s; one migration follows the other. Words that no project has:
# this runs where the guide's `invoice` was generated, too.
NOUNS = ["paper_kite", "dragonfly"]
TESTS = [
    *("tests/api/test_paper_kites.py", "tests/queues/test_dragonflies.py", "tests/websockets/test_paper_kite.py"),
    *("tests/api/test_openapi.py", "tests/api/test_examples.py"),
    *("tests/models/test_migrations.py", "tests/security/test_access.py", "tests/api/test_permission_codes.py"),
    *("tests/websockets/asyncapi/test_asyncapi.py", "tests/docs/test_sockets.py"),
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
    op.add_column("blimps", sa.Column("seats", sa.Integer()))


def downgrade() -> None:
    """Undo."""
    op.drop_column("blimps", "seats")
'''
SHOW = """
from src.main import rest
print(*(route.code for route in rest.state.registry.routes), *rest.openapi()["paths"])
"""


def environment() -> dict[str, str]:
    """Ours, with the stores that run already; what the copy's tests cover is not the project's coverage."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("COV", "PYTHONPYCACHE"))}
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


def everything(project: Path) -> dict[str, bytes]:
    """What a feature may change."""
    folders = ("alembic", "docs", "src", "tests")
    files = [file for folder in folders for file in (project / folder).rglob("*") if file.is_file()]
    return {str(file.relative_to(project)): file.read_bytes() for file in files if "__pycache__" not in file.parts}


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
    """On a copy of its own, and on a database that has run the feature's migration; in this order."""

    @pytest.fixture(scope="class")
    @classmethod
    def copy(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        copy = tmp_path_factory.mktemp("removal") / "project"
        shutil.copytree(ROOT, copy, ignore=LEFT_OUT, symlinks=True)
        return copy

    @pytest.fixture(scope="class")
    @classmethod
    def database(cls) -> Iterator[Scratch]:
        with scratch_database() as database:
            yield database

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

    def test_leaves_the_tree_as_it_was(self, copy: Path, database: Scratch, in_copy: Callable[..., str]) -> None:
        in_copy("python", "-m", "scripts.reference", "--documents")  # descriptions may have changed since the snapshots
        before = everything(copy)
        in_copy("scripts/new-feature.sh", "blimp")
        in_copy("scripts/alembic/migrate.sh")
        database.rows(
            "INSERT INTO roles (id, create_time, update_time, name, code, description, status, version,"
            " interface_permissions, button_permissions, router_permissions) VALUES"
            " (gen_random_uuid(), now(), now(), 'Pilot', 'pilot', '', true, 1,"
            " ARRAY['GET:/api/v1/notices', 'GET:/api/v1/blimps', 'SOCKET:blimp.get'], '{}', '{}')"
        )
        output = in_copy("scripts/new-feature.sh", "--remove", "blimp")
        assert "SOCKET:blimp.get" in output
        assert everything(copy) == before

    def test_undoes_its_migration(self, database: Scratch, in_copy: Callable[..., str]) -> None:
        assert database.rows("SELECT to_regclass('blimps')") == [(None,)]
        assert in_copy("scripts/alembic/migrate.sh").startswith("The database is at revision")

    def test_takes_its_codes_out_of_roles(self, database: Scratch) -> None:
        assert database.rows("SELECT interface_permissions FROM roles") == [(["GET:/api/v1/notices"],)]

    def test_of_a_released_feature_writes_a_migration(
        self, copy: Path, database: Scratch, in_copy: Callable[..., str]
    ) -> None:
        in_copy("scripts/new-feature.sh", "blimp")
        later = "alembic/versions/20990101_0000_count_the_seats.py"
        (copy / later).write_text(LATER.format(**next_revision(copy)).replace("'", '"'))
        in_copy("scripts/alembic/migrate.sh")
        database.rows("UPDATE roles SET interface_permissions = ARRAY['POST:/api/v1/blimps', 'SOCKET:chat.send']")
        in_copy("git", "init", "--quiet")
        in_copy("git", "add", "alembic")
        output = in_copy("scripts/new-feature.sh", "--remove", "blimp")
        assert f"_add_blimps.py: add what {later} changed" in output
        assert in_copy("scripts/alembic/migrate.sh").splitlines()[0].endswith("remove blimps")
        assert database.rows("SELECT to_regclass('blimps')") == [(None,)]
        assert database.rows("SELECT interface_permissions FROM roles") == [(["SOCKET:chat.send"],)]

    def test_can_be_undone(self, database: Scratch, in_copy: Callable[..., str]) -> None:
        in_copy("scripts/alembic/downgrade.sh", "-1")
        assert database.rows("SELECT to_regclass('blimps')::text") == [("blimps",)]
        in_copy("scripts/alembic/migrate.sh")

    def test_passes_the_checks(self, copy: Path, in_copy: Callable[..., str]) -> None:
        in_copy("ruff", "check", ".")
        in_copy("ruff", "format", "--check", ".")

    def test_of_nothing_is_refused(self, project: Path) -> None:
        done = run(project, "scripts/new-feature.sh", "--remove", "nothing_of_the_kind")
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == "There is no feature 'nothing_of_the_kind'. Nothing was changed.\n"

    def test_of_the_example_names_the_page(self, project: Path) -> None:
        done = run(project, "scripts/new-feature.sh", "--remove", "notice")
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
        assert "src/manage/demo_data.py" in done.stderr
        assert "docs/new-feature.md" in done.stderr
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
    def test_of_what_others_use_is_refused(self, project: Path, path: str, old: str, new: str) -> None:
        file, text = project / path, (project / path).read_text()
        assert old in text
        file.write_text(text.replace(old, new, 1))
        (line,) = [number for number, line in enumerate(file.read_text().splitlines(), 1) if "<- HERE" in line]
        before = everything(project)
        done = run(project, "scripts/new-feature.sh", "--remove", "dragonfly")
        after = everything(project)
        file.write_text(text)
        assert done.stderr == f"'dragonfly' is used at {path}:{line}. Remove that first. Nothing was changed.\n"
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
