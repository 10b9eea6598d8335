"""The pre-commit hooks that are our own, and that all of them run the project's tools."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]  # comes with pre-commit, without types

pytestmark = pytest.mark.process

ROOT = Path(__file__).resolve().parents[2]
HOOKS = [
    hook for repo in yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"] for hook in repo["hooks"]
]


def check(script: str, file: Path) -> int:
    command = [sys.executable, str(ROOT / "scripts/check" / script), str(file)]
    return subprocess.run(command, capture_output=True, check=False).returncode  # noqa: S603 - our own


class TestTheConfiguration:
    @pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook["id"])
    def test_fetches_nothing(self, hook: dict[str, str]) -> None:
        assert hook["language"] == "system"
        assert hook["entry"].startswith(".venv/bin/")

    def test_is_valid(self) -> None:
        command = [sys.executable, "-m", "pre_commit", "validate-config", str(ROOT / ".pre-commit-config.yaml")]
        assert subprocess.run(command, capture_output=True, check=False).returncode == 0  # noqa: S603 - our own


class TestCommitMessages:
    @pytest.mark.parametrize(
        "message",
        [
            "feat: log in with a passkey",
            "fix(auth): refuse an empty kid\n\nIt was taken for the present one.",
            "feat(api)!: answer 404 for foreign notices",
            "Merge branch 'notices'",
            "fixup! fix(auth): refuse an empty kid",
        ],
    )
    def test_are_taken(self, message: str, tmp_path: Path) -> None:
        (tmp_path / "message").write_text(message)
        assert check("commit_message.py", tmp_path / "message") == 0

    @pytest.mark.parametrize(
        "message",
        ["", "update", "Fix: something", "feat:no space", "fix: a full stop.", "wip(auth): more", "fix: " + "x" * 100],
    )
    def test_are_refused(self, message: str, tmp_path: Path) -> None:
        (tmp_path / "message").write_text(message)
        assert check("commit_message.py", tmp_path / "message") == 1


class TestLargeFiles:
    @pytest.mark.parametrize(
        ("name", "kibibytes", "code"), [("picture.png", 500, 0), ("picture.png", 501, 1), ("requirements.lock", 501, 0)]
    )
    def test_are_refused_unless_they_are_locks(self, name: str, kibibytes: int, code: int, tmp_path: Path) -> None:
        (tmp_path / name).write_bytes(bytes(kibibytes * 1024))
        assert check("large_files.py", tmp_path / name) == code
