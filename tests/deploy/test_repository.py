"""The files at the top level: for editors, contributors and the service that hosts the repository."""

import importlib.util
import json
import os
import re
import subprocess
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # comes with pre-commit, without types

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[2]
# docs/adr/0032-files-for-editors-and-services.md
TOP = {
    *("src", "tests", "scripts", "alembic", "docs", ".ci", ".github", ".devcontainer", ".vscode"),
    *("docker-compose.yml", "docker-compose-pytest.yml", "Dockerfile", ".dockerignore", ".gitignore", ".editorconfig"),
    *(
        "pyproject.toml",
        "requirements.lock",
        "requirements-dev.lock",
        "requirements-docs.lock",
        "alembic.ini",
        ".pre-commit-config.yaml",
    ),
    *(".env.example", ".env.pytest.example", "LICENSE", "README.md", "README-CN.md"),
    *("CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"),
}
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
PAGES = ["CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", ".github/pull_request_template.md"]


def parsed(path: str) -> Any:
    return json.loads((ROOT / path).read_text())


class TestTheTopLevel:
    def test_holds_nothing_else(self) -> None:
        listed = subprocess.check_output(["git", "ls-files"], cwd=ROOT, text=True).splitlines()  # noqa: S607 - git's own
        assert {path.partition("/")[0] for path in listed} - TOP == set()

    @pytest.mark.parametrize("page", PAGES)
    def test_pages_name_files_that_exist(self, page: str) -> None:
        text = (ROOT / page).read_text()
        named = re.findall(r"(?<![\w/])(?:\./)?((?:scripts|docs|tests|src)/[\w./-]*\w)", text)
        assert [path for path in named if not (ROOT / path).exists()] == []

    @pytest.mark.parametrize("page", PAGES)
    def test_scripts_of_pages_can_be_run(self, page: str) -> None:
        scripts = re.findall(r"scripts/[\w/-]+\.sh", (ROOT / page).read_text())
        assert [script for script in scripts if not os.access(ROOT / script, os.X_OK)] == []


class TestWorkflows:
    @pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
    def test_end_with_all_checks(self, file: Path) -> None:
        jobs = yaml.safe_load(file.read_text())["jobs"].values()
        checks, *others = [job["steps"][-1]["run"] for job in jobs]
        assert checks == "bash .ci/run"
        assert others in ([], ["scripts/check/coverage-run.sh"])
        assert all(job["timeout-minutes"] for job in jobs)

    @pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
    def test_may_only_read(self, file: Path) -> None:
        assert yaml.safe_load(file.read_text())["permissions"] == {"contents": "read"}

    @pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
    def test_run_scripts_that_exist(self, file: Path) -> None:
        jobs = yaml.safe_load(file.read_text())["jobs"].values()
        commands = " ".join(step.get("run", "") for job in jobs for step in job["steps"])
        scripts = re.findall(r"(?:scripts/[\w./-]+|\.ci/run)", commands)
        assert scripts
        assert all((ROOT / script).is_file() and os.access(ROOT / script, os.X_OK) for script in scripts)

    def test_try_the_newest_versions_every_week(self) -> None:
        workflow = yaml.safe_load((ROOT / ".github/workflows/newest.yml").read_text())
        ((_, _, _, _, weekday),) = [entry["cron"].split() for entry in workflow[True]["schedule"]]  # YAML reads `on` so
        assert weekday != "*"


class TestTheUpdateBot:
    @pytest.mark.parametrize("pair", [("celery", "kombu"), ("python-socketio", "python-engineio")], ids=" and ".join)
    def test_updates_packages_together_that_are_released_together(self, pair: tuple[str, str]) -> None:
        groups = [set(rule["matchPackageNames"]) for rule in parsed(".github/renovate.json")["packageRules"]]
        assert any(set(pair) <= group for group in groups)

    def test_writes_the_locks_again(self) -> None:
        tasks = parsed(".github/renovate.json")["postUpgradeTasks"]
        assert all(os.access(ROOT / command, os.X_OK) for command in tasks["commands"])
        assert all((ROOT / lock).exists() for lock in tasks["fileFilters"])


class TestEditors:
    @pytest.mark.parametrize(
        "configuration", parsed(".vscode/launch.json")["configurations"], ids=lambda item: item["name"].split()[0]
    )
    def test_launch_modules_that_are_installed(self, configuration: dict[str, Any]) -> None:
        assert importlib.util.find_spec(configuration["module"])

    def test_launch_everything_together(self) -> None:
        launch = parsed(".vscode/launch.json")
        (compound,) = launch["compounds"]
        assert set(compound["configurations"]) < {configuration["name"] for configuration in launch["configurations"]}

    def test_open_a_container_that_installs_the_project(self) -> None:
        container = parsed(".devcontainer/devcontainer.json")
        assert os.access(ROOT / container["postCreateCommand"], os.X_OK)
        assert container["forwardPorts"] == [16000]

    def test_indent_python_as_it_is_formatted(self) -> None:
        parser = ConfigParser()
        parser.read_string("[top]\n" + (ROOT / ".editorconfig").read_text())
        assert parser["*"]["indent_size"] == "4"
        assert parser["*"]["max_line_length"] == "120"


class TestTheChangelog:
    def test_begins_with_what_is_not_released(self) -> None:
        headings = re.findall(r"^## (.+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
        assert headings[0] == "[Unreleased]"

    def test_uses_the_usual_kinds_of_change(self) -> None:
        kinds = set(re.findall(r"^### (.+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE))
        assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
