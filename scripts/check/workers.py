"""Random sequences of tasks and of ends of workers, then what became of each task; exits 1 if a promise was broken.

python -m scripts.check.workers [--sequences 20] [--steps 15] [--pool asyncio|prefork] [--stock] [--seed 0]

A sequence sends tasks that finish, fail, retry, or exceed a limit, revokes some, and meanwhile stops, kills and
replaces its workers and restarts the broker (`tests/queues/worker_machine.py`). Stores and workers are its own.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
from itertools import count
from pathlib import Path

from hypothesis import HealthCheck, Phase, settings
from hypothesis import seed as seeded
from hypothesis.stateful import run_state_machine_as_test

from scripts.local.stores import embedded_stores

ROOT = Path(__file__).resolve().parents[2]


def check(options: argparse.Namespace, directory: Path) -> None:
    """Run the sequences.

    Raises:
        AssertionError: A promise was broken; Hypothesis prints the steps that led to it.
    """
    from tests.queues.worker_machine import Workers
    from tests.support.pools import POOLS

    finished = count(1)

    class CountedWorkers(Workers):
        def teardown(self) -> None:
            super().teardown()
            print(f"{next(finished)}: {len(self.sent)} tasks, {self.losses} losses", flush=True)

    Workers.directory = directory
    Workers.is_bulk = not options.stock
    (Workers.pool,) = (each for each in POOLS if each.name == options.pool)
    phases, every_check = [Phase.generate], list(HealthCheck)  # a sequence takes too long to be made smaller
    run_state_machine_as_test(
        seeded(options.seed)(CountedWorkers),
        settings=settings(
            max_examples=options.sequences,
            stateful_step_count=options.steps,
            deadline=None,
            database=None,
            phases=phases,
            suppress_health_check=every_check,
        ),
    )


def main() -> None:
    """Start the stores, check, and stop."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sequences", type=int, default=20)
    parser.add_argument("--steps", type=int, default=15)
    parser.add_argument("--pool", choices=["asyncio", "prefork"], default="asyncio")
    parser.add_argument("--stock", action="store_true", help="use kombu's own transport")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        with embedded_stores(Path(directory) / "stores") as variables:
            os.environ.update(variables, ENVIRONMENT="TESTING")
            subprocess.run([sys.executable, "-m", "alembic", "upgrade", "head"], cwd=ROOT, check=True)
            check(options, Path(directory))
    print(f"{options.sequences} sequences: nothing lost, one outcome each")


if __name__ == "__main__":
    main()
