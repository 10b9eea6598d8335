"""The scripts, on a copy of them whose path has a space, and without the network."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.local.process import PROJECT_ROOT

pytestmark = pytest.mark.process

SCRIPTS = ["dev.sh", "make-env.sh", "alembic/downgrade.sh", "alembic/makemigrations.sh", "alembic/migrate.sh"]
SHOW_PYTHON = 'source "$0"/scripts/bootstrap.sh; command -v python'


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    clone = tmp_path / "a clone"
    shutil.copytree(PROJECT_ROOT / "scripts", clone / "scripts")
    shutil.copy(PROJECT_ROOT / "requirements-dev.lock", clone)
    return clone


def bash(*arguments: str | Path, path: str = os.environ["PATH"], **environment: str) -> tuple[int, str, str]:
    """Run it with hardly any environment, from a directory that has nothing to do with the project."""
    done = subprocess.run(  # noqa: S603 - our own scripts
        ["/usr/bin/env", "bash", *arguments],
        cwd="/",
        env={"PATH": path, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def fake_python(directory: Path, refuses: str) -> str:
    """A PATH on which every Python fails when its code contains some words."""
    directory.mkdir()
    for name in ("python3", "python3.14", "python3.13", "python3.12", "python3.11"):
        program = directory / name
        program.write_text(f'#!/bin/sh\ncase "$2" in *"{refuses}"*) exit 1;; esac\n')
        program.chmod(0o755)
    return f"{directory}:/usr/bin:/bin"


class TestBootstrap:
    def test_names_the_version_that_is_missing(self, clone: Path, tmp_path: Path) -> None:
        path = fake_python(tmp_path / "bin", "version_info")
        code, _, errors = bash("-c", SHOW_PYTHON, clone, path=path)
        assert (code, errors) == (1, "Python 3.11, 3.12 or 3.13 is needed, and none is on PATH.\n")

    def test_names_the_package_that_brings_venv(self, clone: Path, tmp_path: Path) -> None:
        path = fake_python(tmp_path / "bin", "ensurepip")
        code, _, errors = bash("-c", SHOW_PYTHON, clone, path=path)
        assert code == 1
        assert errors.splitlines()[-1].endswith("lacks the venv module. On Debian and Ubuntu: apt install python3-venv")

    def test_leaves_a_current_environment_alone(self, clone: Path) -> None:
        (clone / ".venv").mkdir()
        (clone / ".venv/bin").symlink_to(Path(sys.executable).parent)
        checksum = subprocess.check_output("cksum <requirements-dev.lock", shell=True, cwd=clone, text=True)  # noqa: S602, S607 - fixed
        (clone / ".venv/.fingerprint").write_text(f"{clone} {checksum}")
        assert bash("-c", SHOW_PYTHON, clone) == (0, f"{clone}/.venv/bin/python\n", "")

    def test_makes_a_new_environment_when_the_lock_changed(self, clone: Path, tmp_path: Path) -> None:
        (clone / ".venv").mkdir()
        (clone / ".venv/.fingerprint").write_text(f"{clone} of an older lock")
        path = fake_python(tmp_path / "bin", "ensurepip")
        assert "Installing into .venv" in bash("-c", SHOW_PYTHON, clone, path=path)[2]

    def test_leaves_an_image_to_itself(self, clone: Path) -> None:
        code, python, _ = bash("-c", SHOW_PYTHON, clone, BOOTSTRAP="0", path=f"{Path(sys.executable).parent}:/bin")
        assert (code, python) == (0, f"{sys.executable}\n")


class TestArguments:
    @pytest.mark.parametrize("script", ["makemigrations.sh", "downgrade.sh"])
    def test_a_missing_one_is_explained(self, clone: Path, script: str) -> None:
        code, _, errors = bash(clone / "scripts/alembic" / script, BOOTSTRAP="0")
        assert (code, errors.count("\n")) == (2, 1)
        assert errors.startswith(f"usage: {script} ")

    @pytest.mark.parametrize("script", SCRIPTS)
    def test_help_is_the_usage_and_changes_nothing(self, clone: Path, script: str) -> None:
        (clone / ".env.example").write_text("KEY=change-me-now\n")
        code, output, errors = bash(clone / "scripts" / script, "--help", BOOTSTRAP="0")
        assert (code, errors, output.count("\n")) == (0, "", 1)
        assert output.startswith(f"usage: {Path(script).name} ")
        assert not (clone / ".env").exists()

    @pytest.mark.parametrize("script", SCRIPTS)
    def test_too_many_are_refused(self, clone: Path, script: str) -> None:
        code, output, errors = bash(clone / "scripts" / script, "one", "two", BOOTSTRAP="0")
        assert (code, output) == (2, "")
        assert errors.startswith("usage: ")


class TestFiles:
    def test_are_executable(self) -> None:
        scripts = [*PROJECT_ROOT.glob("scripts/**/*.sh"), PROJECT_ROOT / ".ci/run"]
        assert [script for script in scripts if not os.access(script, os.X_OK)] == []
