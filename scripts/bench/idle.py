"""What the product's worker and beat use of a core while there is nothing to do but their housekeeping.

python -m scripts.bench.idle [--seconds 60] [--warm 30]
"""

import argparse
import os
import time
from contextlib import ExitStack

import psutil

from scripts.bench.servers import ROOT, stores
from scripts.local.applications import ASYNCIO, CELERY, POOL, SCHEDULER

COMMANDS = {
    "worker": (*CELERY, "worker", *ASYNCIO, "-l", "info"),
    "beat": (*CELERY, "beat", "-S", SCHEDULER, "-l", "info"),
}


def cpu_seconds(process: psutil.Popen) -> float:
    """What a process has used so far."""
    return float(sum(process.cpu_times()[:2]))


def start(command: tuple[str, ...], environment: dict[str, str]) -> psutil.Popen:
    """A process of the product."""
    return psutil.Popen(command, cwd=ROOT, env=environment)


def main() -> None:
    """Start stores, worker and beat, let them commit_invalidation, and measure."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seconds", type=int, default=60)
    options.add_argument("--warm", type=int, default=30, help="seconds until then: what runs once is no idling")
    chosen = options.parse_args()
    with ExitStack() as stack:
        stack.enter_context(stores())
        broker = os.environ["REDIS_DATABASE_URL"].rpartition("/")[0] + "/1"
        environment = {**os.environ, **POOL, "CELERY_REDIS_URL": broker}
        processes = {name: start(command, environment) for name, command in COMMANDS.items()}
        for process in processes.values():
            stack.callback(process.wait, 20)
            stack.callback(process.terminate)
        time.sleep(chosen.warm)
        before = {name: cpu_seconds(process) for name, process in processes.items()}
        time.sleep(chosen.seconds)
        used = {name: cpu_seconds(process) - before[name] for name, process in processes.items()}
    for name, seconds in {**used, "together": sum(used.values())}.items():
        print(f"{name:>10} {100 * seconds / chosen.seconds:.2f} % of a core")


if __name__ == "__main__":
    main()
