"""What one worker process gets done, and for how much CPU: the asyncio pool beside Celery's own ways, taskiq and arq.

python -m scripts.bench.tasks [--peers PYTHON] [--rounds 3] [--only NAME…]

PYTHON is an interpreter that has taskiq, taskiq-redis and arq; without it those two are left out.
"""

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from redis import Redis

from scripts.local.stores import embedded_stores

ROOT = Path(__file__).resolve().parents[2]
CELERY = "-m", "celery", "-A"
OPTIONS = "-l", "warning", "--without-mingle", "--without-gossip"
AT_ONCE = "200"
ASYNCIO = "-P", "custom", "-c", AT_ONCE, "--prefetch-multiplier", "2"


@dataclass(frozen=True)
class System:
    """One way to run tasks.

    Attributes:
        module: Where its tasks are, and what sends them.
        worker: The arguments that start its worker.
        prefix: Of its tasks' names.
        sleeps: How many sleeping tasks it is given; a rate shows with fewer, too.
        results: The start of the keys that it keeps results under.
    """

    module: str
    worker: tuple[str, ...]
    prefix: str = ""
    sleeps: int = 1000
    results: str = ""
    environment: dict[str, str] = field(default_factory=dict)


def celery(module: str, *pool: str) -> tuple[str, ...]:
    """The command of a Celery worker."""
    return *CELERY, module, "worker", *OPTIONS, *pool


OURS = "scripts.bench.tasks_ours"
STOCK = "scripts.bench.tasks_stock"
TASKIQ = "scripts.bench.tasks_taskiq"
ARQ = "scripts.bench.tasks_arq"
TASKIQ_WORKER = "-m", "taskiq", "worker", f"{TASKIQ}:broker", "--workers", "1", "--log-level", "WARNING"
POOL = {"CELERY_CUSTOM_WORKER_POOL": "src.queues.pool:AsyncIOPool"}
SYSTEMS = {
    "ours, bulk": System(OURS, celery(OURS, *ASYNCIO), environment={**POOL, "CELERY_BULK_TRANSPORT": "1"}),
    "untracked": System(
        OURS, celery(OURS, *ASYNCIO), environment={**POOL, "CELERY_BULK_TRANSPORT": "1", "BENCH_UNTRACKED": "1"}
    ),
    "ours": System(OURS, celery(OURS, *ASYNCIO), environment=POOL),
    "seed": System(STOCK, celery(STOCK, "-c", "2"), sleeps=100),
    "threads": System(STOCK, celery(STOCK, "-P", "threads", "-c", "100"), prefix="sync_"),
    "taskiq": System(TASKIQ, (*TASKIQ_WORKER, "--max-async-tasks", AT_ONCE)),
    "arq": System(ARQ, ("-m", ARQ)),
}


@dataclass(frozen=True)
class Figures:
    """One run: tasks a second, and CPU milliseconds a task."""

    rate: float
    cpu: float


class Running:
    """A worker, and the Redis databases that are its own."""

    def __init__(self, system: System, python: str, redis_url: str) -> None:
        self.system, self.python = system, python
        base = redis_url.rpartition("/")[0]
        self.broker, self.results = Redis.from_url(f"{base}/2"), Redis.from_url(f"{base}/3")
        self.environment = {
            **os.environ,
            **system.environment,
            "BENCH_BROKER": f"{base}/2",
            "BENCH_RESULTS": f"{base}/3",
        }
        if system.module == OURS:  # broker and results in one database, as the product has it
            self.environment["CELERY_REDIS_URL"] = f"{base}/2"
        self.broker.flushdb()
        self.results.flushdb()
        self.popen = subprocess.Popen(  # noqa: S603 - our own command
            [python, *system.worker], cwd=ROOT, env=self.environment, start_new_session=True, stdout=subprocess.DEVNULL
        )
        self.process = psutil.Process(self.popen.pid)

    def run(self, name: str, count: int) -> Figures:
        """Have it do this many tasks, all of which wait when it starts."""
        before = self.done()
        self.signal(signal.SIGSTOP)
        sender = [self.python, "-m", self.system.module, f"{self.system.prefix}{name}", str(count)]
        subprocess.run(sender, cwd=ROOT, env=self.environment, check=True)  # noqa: S603 - our own command
        cpu, started = self.cpu_seconds(), time.perf_counter()
        self.signal(signal.SIGCONT)
        deadline = started + 120
        while self.done() < before + count or self.broker.hlen("unacked"):
            if time.perf_counter() > deadline:
                raise RuntimeError(f"{self.system.module}: {self.done() - before} of {count} tasks after 120 s")
            time.sleep(0.02)
        seconds = time.perf_counter() - started
        return Figures(count / seconds, (self.cpu_seconds() - cpu) / count * 1000)

    def done(self) -> int:
        """How many results there are."""
        if self.system.module == OURS:
            return sum(1 for _ in self.broker.scan_iter("celery-task-meta-*", 10_000))
        if self.system.module == ARQ:
            return sum(1 for _ in self.broker.scan_iter("arq:result:*", 10_000))
        return int(self.results.dbsize())

    def family(self) -> list[psutil.Process]:
        """All its processes."""
        return [self.process, *self.process.children(recursive=True)]

    def cpu_seconds(self) -> float:
        """What they have used."""
        return sum(sum(process.cpu_times()[:2]) for process in self.family())

    def signal(self, number: int) -> None:
        """Tell all of them."""
        os.killpg(self.popen.pid, number)


@contextmanager
def running(system: System, python: str, redis_url: str) -> Iterator[Running]:
    """A worker that has done its first tasks, until the context ends."""
    worker = Running(system, python, redis_url)
    try:
        worker.run("noop", 20)
        yield worker
    finally:
        worker.signal(signal.SIGKILL)
        worker.popen.wait()


def measure(names: list[str], peers: str, rounds: int, redis_url: str, noops: int) -> None:
    """Print medians of interleaved rounds, and what they are of ours."""
    figures: dict[tuple[str, str], list[Figures]] = defaultdict(list)
    for _ in range(rounds):
        for name in names:
            system = SYSTEMS[name]
            python = peers if system.module in (TASKIQ, ARQ) else sys.executable
            with running(system, python, redis_url) as worker:
                figures[name, "sleep"].append(worker.run("sleep", system.sleeps))
                figures[name, "noop"].append(worker.run("noop", noops))
            print(name, figures[name, "sleep"][-1], figures[name, "noop"][-1], file=sys.stderr, flush=True)
    print(f"{'':12} {'sleep/s':>9} {'ours':>7} {'noop/s':>9} {'ours':>7} {'CPU ms':>8} {'ours':>7}")
    best = names[0]
    for name in names:
        sleep, noop = (statistics.median(run.rate for run in figures[name, kind]) for kind in ("sleep", "noop"))
        cpu = statistics.median(run.cpu for run in figures[name, "noop"])
        ours = [statistics.median(run.rate for run in figures[best, kind]) for kind in ("sleep", "noop")]
        our_cpu = statistics.median(run.cpu for run in figures[best, "noop"])
        print(
            f"{name:12} {sleep:9.0f} {ours[0] / sleep:6.2f}x {noop:9.0f} {ours[1] / noop:6.2f}x {cpu:8.2f} "
            f"{our_cpu / cpu:6.2f}x"
        )


def main() -> None:
    """Start the stores, measure, and stop."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", default="")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--noops", type=int, default=5000)
    parser.add_argument("--only", nargs="*", default=list(SYSTEMS))
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # the workers end with it
    names = [name for name in options.only if options.peers or SYSTEMS[name].module not in (TASKIQ, ARQ)]
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        with embedded_stores(Path(directory) / "stores") as variables:
            os.environ.update(variables, ENVIRONMENT="TESTING")
            measure(names, options.peers, options.rounds, variables["REDIS_DATABASE_URL"], options.noops)


if __name__ == "__main__":
    main()
