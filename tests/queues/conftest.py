import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from uuid import uuid4

import pytest
from redis import Redis

from scripts.local.ports import Ports
from src.core.config import settings
from tests.support.metrics import Scraped
from tests.support.process import Process, measured

# Without mingle and gossip a worker starts a second sooner.
WORKER = "worker", "-l", "info", "--without-mingle", "--without-gossip"
BEAT = "beat", "-l", "debug", "-S", "src.queues.scheduler:AsyncDatabaseScheduler"


class CeleryProcess(Process):
    """A `celery` command."""

    def __init__(self, arguments: Sequence[str], log: Path, environment: Mapping[str, str]) -> None:
        super().__init__([sys.executable, "-m", "celery", "-A", "tests.queues.sample", *arguments], log, environment)
        self.metrics = Scraped("")
        self.name = arguments[arguments.index("-n") + 1] if "-n" in arguments else ""

    def idle_share(self, seconds: float) -> float:
        """The share of a core that it uses in that time."""

        def spent() -> float:
            return sum(sum(process.cpu_times()[:2]) for process in self.family())

        before = spent()
        time.sleep(seconds)
        return (spent() - before) / seconds


Run = Callable[..., CeleryProcess]


def free_port() -> int:
    """A port that no outgoing connection gets before a server listens on it."""
    return Ports.free().redis


@contextmanager
def running(directory: Path) -> Iterator[Run]:
    """Start `celery` commands, which end with the block."""
    with ExitStack() as stack:
        numbers = count()

        def run(*arguments: str, **environment: str) -> CeleryProcess:
            log = directory / f"{next(numbers)}.log"
            return stack.enter_context(CeleryProcess(arguments, log, os.environ | measured | environment))

        yield run


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    with running(tmp_path) as run:
        yield run


@pytest.fixture
def redis() -> Redis:
    return Redis.from_url(settings.REDIS_DATABASE_URL, decode_responses=True)


@pytest.fixture
def key() -> str:
    return f"test:{uuid4()}"
