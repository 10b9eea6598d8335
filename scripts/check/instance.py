"""An instance of the application for a check, with stores of its own and its first data."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from scripts.bench.servers import ROOT, Server, serve
from scripts.local.applications import ALONE, ASYNCIO, MODULE, POOL, SCHEDULER
from scripts.local.stores import embedded_stores


@contextmanager
def prepared(**settings: str) -> Iterator[dict[str, str]]:
    """Environment variables of an instance whose databases are filled; its stores stop at the end."""
    with tempfile.TemporaryDirectory(prefix="check-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)  # PostgreSQL runs as another user, and has to reach it
        with embedded_stores(Path(name) / "stores") as stores:
            environment = {**os.environ, **stores, "ENVIRONMENT": "TESTING", "LOG_LEVEL": "WARNING", **settings}
            for module in (["alembic", "upgrade", "head"], ["src.initdb"]):
                command = [sys.executable, "-m", *module]
                subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - ours
            yield environment


@contextmanager
def worker(environment: dict[str, str], app: str = "src.queues.app") -> Iterator[None]:
    """A worker beside it, in the asyncio pool."""
    with _running(["-A", app, "worker", *ASYNCIO, *ALONE], environment | POOL):
        yield


@contextmanager
def beat(environment: dict[str, str], app: str = "src.queues.app") -> Iterator[None]:
    """A beat beside the worker."""
    with _running(["-A", app, "beat", "-S", SCHEDULER], environment):
        yield


@contextmanager
def _running(arguments: Sequence[str], environment: dict[str, str]) -> Iterator[None]:
    command = [*MODULE, "celery", *arguments, "-l", "warning"]
    output = subprocess.DEVNULL
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output) as process:  # noqa: S603 - ours
        try:
            yield
        finally:
            process.terminate()


@contextmanager
def instance(options: Sequence[str] = (), **settings: str) -> Iterator[Server]:
    """One API process."""
    with prepared(**settings) as environment, serve("src.main:app", "/livez", environment, options=options) as server:
        yield server
