"""Stores and web servers as processes of their own, and what the latter cost."""

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from scripts.local.stores import embedded_stores

ROOT = Path(__file__).resolve().parents[2]
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Server:
    """A running server."""

    pid: int
    port: int

    @property
    def cpu_seconds(self) -> float:
        """What the process has used so far, by its own accounting."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    @property
    def pss_mebibytes(self) -> float:
        """Its memory, with its share of what it has in common with others."""
        lines = Path(f"/proc/{self.pid}/smaps_rollup").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def migrate(environment: dict[str, str] | None = None) -> None:
    """Create the tables in the database that the environment names; this process's by default."""
    command = [sys.executable, "-m", "alembic", "upgrade", "head"]
    subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - our own command


@contextmanager
def stores() -> Iterator[None]:
    """Migrated stores of the run's own, named by the environment; import the settings only inside."""
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)  # PostgreSQL drops root's rights, and still has to get there
        with embedded_stores(Path(directory) / "stores") as variables:
            os.environ.update(variables, ENVIRONMENT="TESTING")
            migrate()
            yield


@contextmanager
def serve(
    application: str,
    alive: str,
    environment: dict[str, str],
    python: Sequence[str] = (sys.executable,),
    options: Sequence[str] = (),
) -> Iterator[Server]:
    """Run one uvicorn worker until the context ends; `alive` is a path that answers 200 when it is up."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = [
        *python,
        "-m",
        "uvicorn",
        application,
        "--port",
        str(port),
        "--no-access-log",
        "--log-level",
        "warning",
        *options,
    ]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL) as process:  # noqa: S603 - ours
        try:
            _wait(f"http://127.0.0.1:{port}{alive}", process)
            yield Server(process.pid, port)
        finally:
            process.terminate()


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 120  # on a busy machine
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=1)  # noqa: S310 - our own http address
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.01)
        else:
            return
    raise RuntimeError(f"{url} did not answer.")
