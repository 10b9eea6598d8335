"""What runs on the stores: API, worker, beat and a mail server, and how to tell that each is up."""

import http.client
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from scripts.local.environment import configured_environment
from scripts.local.initialised import InitialisedMark
from scripts.local.log import Log
from scripts.local.ports import LOOPBACK, mail_port
from scripts.local.process import PROJECT_ROOT, Process

MODULE = [sys.executable, "-m"]
# Limits of requests and of websocket messages, explained in docs/operations.md; the image has the same.
WEB_LIMITS = ["--http", "src.middlewares.http_protocol:HttpProtocol"]
WEB_LIMITS += ["--ws-max-size", "262144", "--ws-per-message-deflate", "false"]
CELERY = [*MODULE, "celery", "-A", "src.queues.app"]
POOL = {"CELERY_CUSTOM_WORKER_POOL": "src.queues.pool:AsyncIOPool"}
ASYNCIO = "-P", "custom", "-c", "100", "--prefetch-multiplier", "2", "--without-gossip", "--heartbeat-interval", "30"
# There is one worker, so nobody to synchronise with: Celery would wait for replies for a second.
ALONE = ("--without-mingle",)
SCHEDULER = "src.queues.scheduler:AsyncDatabaseScheduler"


def _immediately() -> bool:
    return True


@dataclass(frozen=True)
class Application:
    """A long-running process of the product."""

    process: Process
    is_up: Callable[[], bool] = _immediately
    starts_last: bool = False
    """Starts once the others are up, which have the processor to themselves until then."""
    serves_others: bool = False
    """Runs with the stores, also when the product is started elsewhere."""


@dataclass(frozen=True)
class Plan:
    """What to do once the stores answer."""

    host: str
    port: int
    setup: Sequence[Process] = field(default=())
    """Run one after the other, each to its end."""
    mark: InitialisedMark | None = None
    """Tells whether `setup` can be left out."""
    applications: Sequence[Application] = field(default=())
    """Started together and waited for, and then those that start last."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Settings that lead to what runs, in addition to those of the stores."""
    announcement: str = ""
    """Printed when all are up."""
    watched: Path | None = None
    """The directory whose changes restart the applications."""

    def stores_only(self) -> Self:
        """The same without the applications, for those who start them in a debugger."""
        applications = [application for application in self.applications if application.serves_others]
        return replace(self, applications=applications, watched=None, announcement=STORES_ONLY)


STORES_ONLY = """
The stores are ready, and every command of the project finds them. Ctrl-C stops them and keeps the data.
"""
ANNOUNCEMENT = """
Ready.
  Console      {url}/console
  Swagger UI   {url}/docs
  ReDoc        {url}/redoc
  Events       {url}/asyncapi
  Socket.IO    {url}/socket.io
  Login        admin / 123456, unless you chose another
  E-mails      {mails}

Ctrl-C stops everything and keeps the data.
"""


EMAIL = {"EMAIL_FROM": "noreply@example.com", "EMAIL_LINK_URL": "http://localhost:5173"}
CAUGHT, YOURS = "shown here and in the console, kept for ./scripts/dev.sh --mails", "sent as your settings say"


def default_plan(logs: Path, host: str, port: int) -> Plan:
    """Migrations and initial data, then API, worker, beat, and a mail server unless the settings name one."""

    def process(name: str, command: list[str], **environment: str) -> Process:
        return Process(
            name,
            command,
            Log(logs / f"{name}.log"),
            {"PYTHONUNBUFFERED": "1", **environment},
            is_expendable=True,
        )

    serve = ["uvicorn", "src.main:app", "--host", host, "--port", str(port), "--timeout-graceful-shutdown", "2"]
    api = process("api", [*MODULE, *serve, *WEB_LIMITS])
    worker = process("worker", [*CELERY, "worker", *ASYNCIO, *ALONE, "-l", "info"], **POOL)
    beat = process("beat", [*CELERY, "beat", "-S", SCHEDULER, "-l", "info"])
    applications = [
        Application(api, lambda: answers(host, port, "/livez")),
        Application(worker, lambda: "ready." in worker.log.path.read_text(errors="replace")),
        Application(beat, starts_last=True),
    ]
    configured, environment = configured_environment(PROJECT_ROOT), {}
    if configured["ENVIRONMENT"] == "LOCAL" and not configured.get("SMTP_URL"):
        smtp = mail_port(port)
        mails = str(logs.parent / "mails")
        catcher = process("smtp", [*MODULE, "scripts.local.smtp", mails, str(smtp)])
        applications.append(Application(catcher, starts_last=True, serves_others=True))
        settings = {"SMTP_URL": f"smtp://{LOOPBACK}:{smtp}", "EMAIL_CAUGHT_DIRECTORY": mails, **EMAIL}
        environment = {name: value for name, value in settings.items() if not configured.get(name)}
    return Plan(
        host,
        port,
        setup=[
            replace(
                process("initdb", [*MODULE, "scripts.local.migrate"]),
                purpose="Migrating and inserting the initial data",
            )
        ],
        mark=InitialisedMark(logs.parent),
        applications=applications,
        environment=environment,
        announcement=ANNOUNCEMENT.format(url=f"http://localhost:{port}", mails=CAUGHT if environment else YOURS),
        watched=PROJECT_ROOT / "src",
    )


def answers(host: str, port: int, path: str) -> bool:
    """Whether GET on the path returns 200."""
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    connection = http.client.HTTPConnection(reachable, port, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.client.OK
    except OSError:
        return False
    finally:
        connection.close()
