"""Random sequences of tasks and of ends of workers, then what became of each task; exits 1 if a promise was broken.

python -m scripts.check.workers [--sequences 20] [--steps 15] [--pool asyncio|prefork] [--stock] [--seed 0] [--jobs 1]

A sequence sends tasks that finish, fail, retry, or exceed a limit, revokes some, and meanwhile stops, kills and
replaces its workers and restarts the broker (`tests/queues/worker_machine.py`). Several jobs run beside each other,
each with a seed and a broker of its own; its workers are forks of a process that has imported the application.
"""

import argparse
import os
import shutil
import signal
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from itertools import count
from multiprocessing import get_context
from pathlib import Path

from hypothesis import HealthCheck, Phase, settings
from hypothesis import seed as seeded
from hypothesis.stateful import run_state_machine_as_test

from scripts.local.stores import embedded_stores

# Of stores that the tasks do not use, and that a worker can start without.
UNUSED = {
    "SQL_DATABASE_URL": "postgresql+asyncpg://nobody@127.0.0.1:1/none",
    "MONGO_DATABASE_URL": "mongodb://127.0.0.1:1/none",
    "MINIO_ENDPOINT": "127.0.0.1:1",
}
# What a worker imports while it starts.
MODULES = (
    *("tests.queues.sample", *(f"src.queues.tasks.{name}" for name in ("files", "notices", "outbox", "runs"))),
    *("src.queues.tasks.system", "src.queues.broker.consumer", "src.queues.broker.transport"),
    *("src.queues.inspection.measured_request", "src.queues.pool.asyncio_pool", "src.queues.pool.worker"),
    *("celery.app.control", "celery.app.events", "celery.apps.worker", "celery.bin.celery"),
    *("celery.concurrency.prefork", "celery.worker.autoscale", "celery.worker.components", "celery.worker.consumer"),
)


def check(options: argparse.Namespace, directory: Path, seed: int) -> None:
    """Run the sequences of one job.

    Raises:
        AssertionError: A promise was broken; Hypothesis prints the steps that led to it.
    """
    # Before the settings are read: the run history of each job is in a database of its own.
    redis_server = os.environ["REDIS_DATABASE_URL"].rpartition("/")[0]
    os.environ["REDIS_DATABASE_URL"] = f"{redis_server}/{1 + seed - options.seed}"
    from tests.queues.restartable import RestartableRedis
    from tests.queues.worker_machine import Workers
    from tests.support.fork_server import preload
    from tests.support.pools import POOLS

    finished = count(1)

    class CountedWorkers(Workers):
        def teardown(self) -> None:
            try:
                super().teardown()
            except AssertionError as error:
                print(f"seed {seed}, {next(finished)}: {error}\nlogs: {self.home}", flush=True)
                raise
            print(f"seed {seed}, {next(finished)}: {len(self.sent)} tasks, {self.losses} losses", flush=True)

    (pool,) = (each for each in POOLS if each.name == options.pool)
    transport = ("CELERY_BULK_TRANSPORT", str(not options.stock))
    Workers.pool = replace(pool, environment=(*pool.environment, transport))
    Workers.queue = f"check-{seed}"
    Workers.directory = directory / str(seed)
    Workers.directory.mkdir()
    with RestartableRedis(Workers.directory) as Workers.store:
        os.environ.update(
            Workers.pool.environment,
            CELERY_REDIS_URL=Workers.store.url,
            SAMPLE_QUEUE=Workers.queue,
            # Longer than a message waits for the task before it and for its own, or it would be run twice.
            SAMPLE_VISIBILITY_TIMEOUT="20",
        )
        preload(*MODULES)
        phases, every_check = [Phase.generate], list(HealthCheck)  # a sequence takes too long to be made smaller
        run_state_machine_as_test(
            seeded(seed)(CountedWorkers),
            settings=settings(
                max_examples=options.sequences // options.jobs,
                stateful_step_count=options.steps,
                deadline=None,
                database=None,
                phases=phases,
                suppress_health_check=every_check,
            ),
        )


def stop_cleanly() -> None:
    """Stop brokers and workers at SIGTERM."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))


def main() -> None:
    """Start the stores, check, and stop."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sequences", type=int, default=20, help="of all jobs together")
    parser.add_argument("--steps", type=int, default=15)
    parser.add_argument("--pool", choices=["asyncio", "prefork"], default="asyncio")
    parser.add_argument("--stock", action="store_true", help="use kombu's own transport")
    parser.add_argument("--seed", type=int, default=0, help="of the first job; the others have the next")
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    stop_cleanly()
    directory = Path(tempfile.mkdtemp(prefix="workers-"))
    directory.chmod(0o755)
    os.environ.update(UNUSED, ENVIRONMENT="TESTING")
    with embedded_stores(directory / "stores") as variables:
        os.environ.update(variables)
        seeds = range(options.seed, options.seed + options.jobs)
        with ProcessPoolExecutor(options.jobs, get_context("spawn"), stop_cleanly) as jobs:
            for job in [jobs.submit(check, options, directory, seed) for seed in seeds]:
                job.result()
    shutil.rmtree(directory)  # after a failure, the logs of its workers stay
    print(f"{options.sequences} sequences: nothing lost, one outcome each")


if __name__ == "__main__":
    main()
