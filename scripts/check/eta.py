"""A thousand tasks with times in the next three hours run once each, and in time; exits 1 if one does not.

python -m scripts.check.eta /usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1 [--pool asyncio|prefork] [--stock]

The library is that of Debian's package `faketime`. With it, a real worker has a clock that this program moves: it skips
the time between two bursts of tasks once every task of the first has ended. During a burst the clock has its usual
speed, so a busy machine makes tasks late: run it alone. The last figure is how late the machine woke this program.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from redis import Redis

from scripts.local.stores import embedded_stores

ROOT = Path(__file__).resolve().parents[2]
TASKS = 1000
SECONDS = 3 * 3600
BURSTS = 50
BURST_SECONDS = 2
LATE_SECONDS = 2
PATIENCE_SECONDS = 60
POLL_SECONDS = 0.1
QUEUE = "check-eta"


class Clock:
    """The worker's clock, which this process can move forward."""

    def __init__(self, file: Path, library: Path) -> None:
        self._file = file
        self._ahead = 0.0
        self.environment = {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
        self.move_to(0)

    def move_to(self, moment: float) -> None:
        """Move it to a Unix time, unless that has passed."""
        self._ahead = max(self._ahead, moment - time.time())
        new = self._file.with_suffix(".new")
        new.write_text(f"+{self._ahead:.3f}\n")
        new.replace(self._file)


def burst_times() -> list[list[float]]:
    """The times of the tasks in seconds from now, by burst."""
    step, within = (SECONDS - BURST_SECONDS - 1) / (BURSTS - 1), BURST_SECONDS * BURSTS / TASKS
    return [[1 + step * burst + within * task for task in range(TASKS // BURSTS)] for burst in range(BURSTS)]


def send(bursts: list[list[float]]) -> dict[str, float]:
    """Send a task for each time; returns the times by the tasks' ids."""
    from src.queues.app import app

    etas = {str(uuid4()): eta for burst in bursts for eta in burst}
    for name, eta in etas.items():
        app.send_task("sample.add", (1, 2), queue=QUEUE, task_id=name, eta=datetime.fromtimestamp(eta, UTC))
    return etas


def starts(redis: Redis) -> dict[str, list[float]]:
    """When each task started, each time, by the run history."""
    from src.core.tasks.run_event import STREAM, RunEvent

    found = defaultdict(list)
    entries: Any = redis.xrange(STREAM)
    for _, entry in entries:
        event = RunEvent.model_validate_json(entry["event"])
        if event.state == "STARTED":
            found[str(event.id)].append(event.at.timestamp())
    return found


def check(clock: Clock, redis: Redis) -> bool:
    """Send the tasks, let each burst's time come, and print when they ran."""
    now, finished, woken_late = time.time(), 0, 0.0
    bursts = [[now + seconds for seconds in burst] for burst in burst_times()]
    etas = send(bursts)
    for burst in bursts:
        clock.move_to(burst[0] - LATE_SECONDS)
        finished += len(burst)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while len(list(redis.scan_iter("celery-task-meta-*", 1000))) < finished or redis.hlen("unacked"):
            if time.monotonic() > deadline:
                print(f"{finished} tasks should have run by now")
                return False
            began = time.monotonic()
            time.sleep(POLL_SECONDS)
            woken_late = max(woken_late, time.monotonic() - began - POLL_SECONDS)
    found = starts(redis)
    late = sorted(started - eta for name, eta in etas.items() for started in found[name])
    repeated = [name for name in etas if len(found[name]) != 1]
    in_time = sum(seconds <= LATE_SECONDS for seconds in late)
    print(f"{len(etas)} tasks, {len(repeated)} not run once; {in_time} within {LATE_SECONDS} s of their time")
    print(f"{late[0]:.3f} to {late[-1]:.3f} s late, half of them at most {late[len(late) // 2]:.3f} s")
    print(f"this program was woken up to {woken_late:.3f} s late")
    return not repeated and late[0] >= 0 and in_time == len(late)


def main() -> None:
    """Start the stores and a worker, check, and stop."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("library", type=Path)
    parser.add_argument("--pool", choices=["asyncio", "prefork"], default="asyncio")
    parser.add_argument("--stock", action="store_true", help="use kombu's own transport")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, (directory := Path(name)).joinpath("log").open("wb") as log:
        directory.chmod(0o755)
        with embedded_stores(directory / "stores") as variables:
            url = variables["REDIS_DATABASE_URL"]
            settings = {
                "CELERY_REDIS_URL": url,
                "CELERY_BULK_TRANSPORT": str(not options.stock),
                "SAMPLE_VISIBILITY_TIMEOUT": "1800",  # the product's; it must be longer than what is skipped
            }
            os.environ.update(variables | settings, ENVIRONMENT="TESTING")
            from tests.support.pools import POOLS

            (pool,) = (each for each in POOLS if each.name == options.pool)
            clock = Clock(directory / "clock", options.library)
            worker = subprocess.Popen(  # noqa: S603 - our own
                [
                    sys.executable,
                    "-m",
                    "celery",
                    "-A",
                    "tests.queues.sample",
                    "worker",
                    "-l",
                    "info",
                    "-Q",
                    QUEUE,
                    *pool.arguments,
                ],
                cwd=ROOT,
                env=dict(pool.environment) | os.environ | clock.environment,
                stdout=log,
                stderr=log,
            )
            try:
                while "ready." not in directory.joinpath("log").read_text():
                    time.sleep(0.1)
                with Redis.from_url(url, decode_responses=True) as redis:
                    passed = check(clock, redis)
            finally:
                worker.terminate()
                worker.wait()
        if not passed:
            sys.exit(directory.joinpath("log").read_text()[-5000:])


if __name__ == "__main__":
    main()
