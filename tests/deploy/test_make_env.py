"""scripts/make-env.sh: from a clone to an environment that may be deployed."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from dotenv import dotenv_values

from scripts.local.credentials import rsa_private_key

pytestmark = pytest.mark.process

ROOT = Path(__file__).resolve().parents[2]
HOSTS = {
    "POSTGRESQL_HOST": "postgres",
    "REDIS_HOST": "redis",
    "MONGO_HOST": "mongo",
    "MINIO_ENDPOINT": "http://s3:9000",
}
Run = Callable[[], "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs the script of a copy of the project."""
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts/make-env.sh", tmp_path / "scripts")
    shutil.copy(ROOT / ".env.example", tmp_path)
    script = str(tmp_path / "scripts/make-env.sh")
    return lambda: subprocess.run([script], capture_output=True, text=True, check=False)  # noqa: S603 - our own


class TestMakeEnv:
    def test_replaces_every_placeholder_by_a_secret_of_its_own(self, run: Run, tmp_path: Path) -> None:
        run()
        example, made = dotenv_values(tmp_path / ".env.example"), dotenv_values(tmp_path / ".env")
        secrets = {name: made[name] for name, value in example.items() if value and value.startswith("change-me-")}
        assert all(len(secret or "") == 64 for secret in secrets.values())
        assert len(set(secrets.values())) == len(secrets)

    def test_leaves_the_rest_as_it_is(self, run: Run, tmp_path: Path) -> None:
        run()
        example, made = dotenv_values(tmp_path / ".env.example"), dotenv_values(tmp_path / ".env")
        assert made.keys() == example.keys()
        assert made["POSTGRESQL_USERNAME"] == example["POSTGRESQL_USERNAME"]

    def test_makes_a_file_that_nobody_else_reads(self, run: Run, tmp_path: Path) -> None:
        run()
        assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600

    def test_leaves_an_existing_file_alone(self, run: Run, tmp_path: Path) -> None:
        (tmp_path / ".env").write_text("PORT=1\n")
        assert run().returncode == 1
        assert (tmp_path / ".env").read_text() == "PORT=1\n"

    def test_makes_what_production_accepts(self, run: Run, tmp_path: Path) -> None:
        run()
        assert load(tmp_path / ".env", RSA_PRIVATE_KEY=str(rsa_private_key(tmp_path))) == ""

    def test_is_needed_there(self, tmp_path: Path) -> None:
        refusal = load(ROOT / ".env.example", RSA_PRIVATE_KEY=str(rsa_private_key(tmp_path)))
        assert refusal.startswith("ACCESS_TOKEN_KEY ")


def load(file: Path, **more: str) -> str:
    """What the settings say in production when the file, and the hosts of the compose file, are all that they know."""
    variables = {name: value for name, value in dotenv_values(file).items() if value}
    environment = {"PATH": os.environ["PATH"], **HOSTS, **variables, **more, "ENVIRONMENT": "PRODUCTION"}
    command = [sys.executable, "-c", "import src.core.config"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)  # noqa: S603 - our own
    return done.stderr
