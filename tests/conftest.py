"""Real stores for the whole session, before anything reads the settings."""

import atexit
import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import pytest
from dotenv import load_dotenv

from scripts.local.stores import embedded_stores
from tests.support.databases import own_bucket, own_databases

ROOT = Path(__file__).resolve().parents[1]
_session = ExitStack()


def _point_settings_at_own_stores() -> None:
    """Start what the environment and `.env.pytest` do not name, and make this session's own databases and bucket."""
    load_dotenv(ROOT / ".env.pytest")
    os.environ["ENVIRONMENT"] = "TESTING"
    # The embedded MongoDB waits for the disk at each commit, and a disk may be slow for seconds; tests of a silent
    # store bring limits of their own.
    os.environ.setdefault("MONGO_TIMEOUT_SECONDS", "10")
    directory = Path(_session.enter_context(tempfile.TemporaryDirectory(prefix="multidb-", ignore_cleanup_errors=True)))
    directory.chmod(0o755)  # PostgreSQL drops root's rights, and still has to get there
    os.environ.update(_session.enter_context(embedded_stores(directory / "stores")))
    os.environ.update(_session.enter_context(own_databases()))
    os.environ.update(_session.enter_context(own_bucket()))
    subprocess.run([sys.executable, "-m", "alembic", "upgrade", "head"], cwd=ROOT, check=True)


# At import, not in a hook: the settings are read when the first test module or conftest below imports the application.
atexit.register(_session.close)
_point_settings_at_own_stores()


def pytest_configure(config: pytest.Config) -> None:
    """Make the fixtures known."""
    config.pluginmanager.import_plugin("tests.support.fixtures")


def pytest_unconfigure() -> None:
    """Stop what was started."""
    _session.close()
