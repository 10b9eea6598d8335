"""Throughput and CPU of one worker process: the asyncio pool beside Celery's own pools, taskiq and arq.

python -m scripts.bench.tasks [--peers PYTHON] [--rounds 3] [--only NAME…]

PYTHON is an interpreter with taskiq, taskiq-redis and arq installed, and with uvloop and hiredis, which we use as well;
without it those two are skipped. If no version of redis-py suits both, measure arq with an interpreter of its own.

The asyncio pool and taskiq run 200 tasks at once and have 200 messages in reserve; both keep results for an hour.
taskiq acknowledges no messages and, as `bulk-untracked`, has no run history.
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
CONCURRENCY = "200"
ASYNCIO = "-P", "custom", "-c", CONCURRENCY, "--prefetch-multiplier", "2"


@dataclass(frozen=True)
class System:
    """One way to run tasks: a row of the result.

    Attributes:
        module: Defines the tasks, and sends them when it is run.
        worker: The arguments that start its worker.
        prefix: The prefix of its tasks' names.
        sleeps: How many sleeping tasks it gets; slow systems get fewer.
        environment: The settings that distinguish it from other rows of the same module.
    """

    module: str
    worker: tuple[str, ...]
    prefix: str = ""
    sleeps: int = 3000
    environment: dict[str, str] = field(default_factory=dict)


def celery(module: str, *pool: str) -> tuple[str, ...]:
    """The command of a Celery worker."""
    return *CELERY, module, "worker", *OPTIONS, *pool


OURS = "scripts.bench.tasks_ours"
STOCK = "scripts.bench.tasks_stock"
TASKIQ = "scripts.bench.tasks_taskiq"
ARQ = "scripts.bench.tasks_arq"
TASKIQ_WORKER = "-m", "taskiq", "worker", f"{TASKIQ}:broker", "--workers", "1", "--log-level", "WARNING"
TASKIQ_LIMITS = "--max-async-tasks", CONCURRENCY, "--max-prefetch", CONCURRENCY
POOL = {"CELERY_CUSTOM_WORKER_POOL": "src.queues.pool:AsyncIOPool"}
BULK = {"CELERY_BULK_TRANSPORT": "true"}
STOCK_TRANSPORT = {"CELERY_BULK_TRANSPORT": "false"}
TRACKED = {"BENCH_UNTRACKED": ""}
UNTRACKED = {"BENCH_UNTRACKED": "1"}
SYSTEMS = {
    "bulk": System(OURS, celery(OURS, *ASYNCIO), environment=POOL | BULK | TRACKED),
    "bulk-untracked": System(OURS, celery(OURS, *ASYNCIO), environment=POOL | BULK | UNTRACKED),
    "stock-transport": System(OURS, celery(OURS, *ASYNCIO), environment=POOL | STOCK_TRANSPORT | TRACKED),
    "prefork": System(STOCK, celery(STOCK, "-c", "2"), sleeps=100),
    "threads": System(STOCK, celery(STOCK, "-P", "threads", "-c", "100"), prefix="sync_"),
    "taskiq": System(TASKIQ, (*TASKIQ_WORKER, *TASKIQ_LIMITS)),
    "arq": System(ARQ, ("-m", ARQ)),
}
NEED_PEERS = TASKIQ, ARQ


@dataclass(frozen=True)
class Figures:
    """One measurement: tasks per second, and CPU milliseconds per task."""

    rate: float
    cpu: float


class Worker:
    """A running worker with Redis databases of its own."""

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
        if system.module == OURS:
            self.environment |= {"CELERY_BROKER_URL": f"{base}/2", "CELERY_REDIS_URL": f"{base}/3"}
        self.broker.flushdb()
        self.results.flushdb()
        self.popen = subprocess.Popen(  # noqa: S603 - our own command
            [python, *system.worker], cwd=ROOT, env=self.environment, start_new_session=True, stdout=subprocess.DEVNULL
        )
        self.process = psutil.Process(self.popen.pid)

    def run(self, name: str, count: int) -> Figures:
        """Measure how it runs tasks that are all queued when it starts."""
        before = self.finished()
        self.signal(signal.SIGSTOP)
        sender = [self.python, "-m", self.system.module, f"{self.system.prefix}{name}", str(count)]
        subprocess.run(sender, cwd=ROOT, env=self.environment, check=True)  # noqa: S603 - our own command
        cpu, started = self.cpu_seconds(), time.perf_counter()
        self.signal(signal.SIGCONT)
        deadline = started + 120
        while self.finished() < before + count or self.broker.hlen("unacked"):
            if time.perf_counter() > deadline:
                raise RuntimeError(f"{self.system.module}: {self.finished() - before} of {count} tasks after 120 s")
            time.sleep(0.02)
        seconds = time.perf_counter() - started
        return Figures(count / seconds, (self.cpu_seconds() - cpu) / count * 1000)

    def finished(self) -> int:
        """The number of stored results."""
        if self.system.module == ARQ:
            return sum(1 for _ in self.broker.scan_iter("arq:result:*", 10_000))
        return int(self.results.dbsize())

    def cpu_seconds(self) -> float:
        """CPU time of all its processes."""
        processes = [self.process, *self.process.children(recursive=True)]
        return sum(sum(process.cpu_times()[:2]) for process in processes)

    def signal(self, number: int) -> None:
        """Send a signal to all its processes."""
        os.killpg(self.popen.pid, number)


@contextmanager
def running(system: System, python: str, redis_url: str) -> Iterator[Worker]:
    """A worker that has run its first tasks, until the context ends."""
    worker = Worker(system, python, redis_url)
    try:
        worker.run("noop", 20)
        yield worker
    finally:
        worker.signal(signal.SIGKILL)
        worker.popen.wait()


def measure(names: list[str], peers: str, rounds: int, redis_url: str, noops: int) -> None:
    """Print medians of interleaved rounds, and the ratio of the first row to each."""
    figures: dict[tuple[str, str], list[Figures]] = defaultdict(list)
    for _ in range(rounds):
        for name in names:
            system = SYSTEMS[name]
            python = peers if system.module in NEED_PEERS else sys.executable
            with running(system, python, redis_url) as worker:
                figures[name, "sleep"].append(worker.run("sleep", system.sleeps))
                figures[name, "noop"].append(worker.run("noop", noops))
            print(name, figures[name, "sleep"][-1], figures[name, "noop"][-1], file=sys.stderr, flush=True)
    medians = {
        name: (
            statistics.median(run.rate for run in figures[name, "sleep"]),
            statistics.median(run.rate for run in figures[name, "noop"]),
            statistics.median(run.cpu for run in figures[name, "noop"]),
        )
        for name in names
    }
    first = medians[names[0]]
    print(f"{'':16} {'sleep/s':>9} {'first':>7} {'noop/s':>9} {'first':>7} {'CPU ms':>8} {'first':>7}")
    for name, (sleep, noop, cpu) in medians.items():
        print(
            f"{name:16} {sleep:9.0f} {first[0] / sleep:6.2f}x {noop:9.0f} {first[1] / noop:6.2f}x {cpu:8.2f} "
            f"{first[2] / cpu:6.2f}x"
        )


def main() -> None:
    """Start the stores, measure, and stop."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", default="")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--noops", type=int, default=5000)
    parser.add_argument("--only", nargs="*", default=list(SYSTEMS), choices=list(SYSTEMS))
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # ends the workers as well
    names = [name for name in options.only if options.peers or SYSTEMS[name].module not in NEED_PEERS]
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        with embedded_stores(Path(directory) / "stores") as variables:
            os.environ.update(variables, ENVIRONMENT="TESTING")
            measure(names, options.peers, options.rounds, variables["REDIS_DATABASE_URL"], options.noops)


if __name__ == "__main__":
    main()
