"""What runs on the stores: the commands of the README, and how to tell that each is up."""

import http.client
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from scripts.local.log import Log
from scripts.local.process import Process

MODULE = [sys.executable, "-m"]
CELERY = [*MODULE, "celery", "-A", "src.queues.app"]
POOL = {"CELERY_CUSTOM_WORKER_POOL": "src.queues.pool:AsyncIOPool"}
ASYNCIO = "-P", "custom", "-c", "100", "--prefetch-multiplier", "2", "--without-gossip", "--heartbeat-interval", "30"
SCHEDULER = "src.queues.scheduler:AsyncDatabaseScheduler"


def _at_once() -> bool:
    return True


@dataclass(frozen=True)
class Application:
    """A long-running process of ours."""

    process: Process
    is_up: Callable[[], bool] = _at_once


@dataclass(frozen=True)
class Plan:
    """What to do once the stores answer."""

    host: str
    port: int
    setup: Sequence[Process] = field(default=())
    """Run one after the other, each to its end."""
    applications: Sequence[Application] = field(default=())
    """Started together, then awaited."""
    announcement: str = ""
    """Printed when all are up."""


ANNOUNCEMENT = """
Ready.
  Swagger UI   {url}/docs
  ReDoc        {url}/redoc
  Events       {url}/asyncapi
  Socket.IO    {url}/socket.io
  Login        admin / 123456, unless you chose another

Ctrl-C stops everything and keeps the data.
"""


def default_plan(logs: Path, host: str, port: int) -> Plan:
    """Migrations and first data, then API, worker and beat."""

    def process(name: str, command: list[str], patience_seconds: float = 3, **environment: str) -> Process:
        return Process(
            name,
            command,
            Log(logs / f"{name}.log"),
            {"PYTHONUNBUFFERED": "1", **environment},
            patience_seconds=patience_seconds,
            is_expendable=True,
        )

    serve = ["uvicorn", "src.main:app", "--host", host, "--port", str(port), "--timeout-graceful-shutdown", "4"]
    api = process("api", [*MODULE, *serve], 6)
    worker = process("worker", [*CELERY, "worker", *ASYNCIO, "-l", "info"], 6, **POOL)
    beat = process("beat", [*CELERY, "beat", "-S", SCHEDULER, "-l", "info"])
    return Plan(
        host,
        port,
        setup=[process("initdb", [*MODULE, "scripts.local.migrate"])],
        applications=[
            Application(api, lambda: answers(host, port, "/livez")),
            Application(worker, lambda: "ready." in worker.log.path.read_text(errors="replace")),
            Application(beat),
        ],
        announcement=ANNOUNCEMENT.format(url=f"http://localhost:{port}"),
    )


def answers(host: str, port: int, path: str) -> bool:
    """Whether a GET there is answered with 200."""
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - "everywhere" is read, not bound
    connection = http.client.HTTPConnection(reachable, port, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.client.OK
    except OSError:
        return False
    finally:
        connection.close()
