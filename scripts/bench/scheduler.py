"""The cost of beat by the number of schedules: ours, django-celery-beat, and a heap of all rows.

python -m scripts.bench.scheduler [--peers PYTHON] [--counts 100 10000 100000] [--rounds 3]

PYTHON is an interpreter with celery[redis], django-celery-beat and psycopg installed; without it that one is skipped.
The heap reads each row by a query of its own, and all rows again after any change.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from sqlalchemy import make_url

from scripts.bench.servers import ROOT, migrate
from scripts.local.stores import embedded_stores

OURS, HEAP, DJANGO = "ours", "heap", "django-celery-beat"
MODULES = {OURS: "scheduler_ours", HEAP: "scheduler_heap", DJANGO: "scheduler_django"}
MEASURES = {
    "load_seconds": "creating the scheduler, and its first tick",
    "refresh_ms": "the tick after one row changed",
    "idle_ms": "a tick with nothing due",
    "due_ms": "sending one due task to the broker",
    "memory_mb": "growth of the process",
}


def measure(system: str, count: int, environment: dict[str, str], python: str) -> dict[str, float]:
    """Measure one scheduler in a process of its own, which fills the table."""
    command = [python, str(ROOT / "scripts/bench" / f"{MODULES[system]}.py"), str(count)]
    done = subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE)  # noqa: S603 - ours
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def main() -> None:
    """Measure each system with each number of schedules, interleaved, and print medians."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--peers", help="an interpreter with django-celery-beat")
    options.add_argument("--counts", type=int, nargs="+", default=[100, 10_000, 100_000])
    options.add_argument("--rounds", type=int, default=3)
    chosen = options.parse_args()
    systems = {OURS: sys.executable, HEAP: sys.executable, **({DJANGO: chosen.peers} if chosen.peers else {})}
    figures: dict[tuple[str, int], list[dict[str, float]]] = defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="bench-", dir="/tmp", ignore_cleanup_errors=True) as directory:
        Path(directory).chmod(0o755)
        with embedded_stores(Path(directory)) as variables:
            url = make_url(variables["SQL_DATABASE_URL"]).set(drivername="postgresql")
            environment = {**os.environ, **variables, "ENVIRONMENT": "TESTING", "PYTHONPATH": str(ROOT)}
            environment["BENCH_DATABASE"] = url.render_as_string(hide_password=False)
            environment["BENCH_BROKER"] = variables["REDIS_DATABASE_URL"].rpartition("/")[0] + "/2"
            migrate(environment)
            for _ in range(chosen.rounds):
                for count in chosen.counts:
                    for system, python in systems.items():
                        figures[system, count].append(measure(system, count, environment, python))
    for name, meaning in MEASURES.items():
        print(f"\n{name}: {meaning}")
        print(" ".join(["schedules".rjust(20), *(f"{count:>10,}" for count in chosen.counts)]))
        for system in systems:
            medians = [
                statistics.median(figures[name] for figures in figures[system, count]) for count in chosen.counts
            ]
            print(" ".join([system.rjust(20), *(f"{value:10.3f}" for value in medians)]))


if __name__ == "__main__":
    main()
