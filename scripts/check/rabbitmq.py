"""Worker, beat, retry, revoke, chord, dead letters and a kill on RabbitMQ, in both pools.

python -m scripts.check.rabbitmq amqp://guest:guest@127.0.0.1:5672//

It needs a running RabbitMQ, which no package of this project brings along: `docker run -p 5672:5672 rabbitmq`, or your
system's package `rabbitmq-server`. It uses queues of its own names, and deletes them. The other stores are embedded.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from scripts.local.stores import embedded_stores

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 60
PREFORK = "-c", "2"
ASYNCIO = "-P", "custom", "-c", "100"
POOL = {"CELERY_CUSTOM_WORKER_POOL": "src.queues.pool:AsyncIOPool"}


@contextmanager
def celery(directory: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A `celery` command of the test tasks' application, with its output in a file."""
    command = [sys.executable, "-m", "celery", "-A", "tests.queues.sample", *arguments]
    with (directory / f"{uuid4()}.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT)  # noqa: S603 - our own
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def check(name: str, found: object, expected: object) -> bool:
    """Print one line; returns whether it is as expected."""
    print("ok  " if found == expected else "FAIL", name, "" if found == expected else f"{found!r}, not {expected!r}")
    return found == expected


def wait(condition: Callable[[], Any]) -> Any:
    """The condition's value once it is true, its last one after a minute."""
    deadline = time.monotonic() + SECONDS
    while not (value := condition()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return value


def run(directory: Path, pool: tuple[str, ...]) -> bool:
    """Check one pool."""
    from celery import chord
    from celery.exceptions import TaskRevokedError
    from redis import Redis

    from src.core.config import settings
    from src.queues.app import app
    from tests.queues import sample

    key, redis = f"check-{uuid4().hex[:8]}", Redis.from_url(settings.REDIS_DATABASE_URL, decode_responses=True)
    sample.default_queue = os.environ["SAMPLE_QUEUE"] = key
    worker = "worker", "-l", "info", "-Q", key, "-n", f"{key}@check", "--without-mingle", "--without-gossip", *pool
    results = []
    with celery(directory, *worker) as first:
        total = chord([sample.add.s(number, number) for number in range(10)])(sample.total.s())
        results.append(check("chord", total.get(timeout=SECONDS), 90))
        results.append(check("retry", sample.again.delay(2).get(timeout=SECONDS), 2))
        results.append(check("autoretry", sample.flaky.delay(2).get(timeout=SECONDS), 2))
        results.append(check("countdown", sample.add.apply_async((1, 2), countdown=2).get(timeout=SECONDS), 3))
        long = sample.long.delay(key)
        wait(lambda: redis.llen(key))
        app.control.revoke(long.id, terminate=True)
        try:
            outcome = long.get(timeout=SECONDS)
        except TaskRevokedError:
            outcome = "revoked"
        results.append(check("revoke", outcome, "revoked"))
        app.send_task("sample.removed", queue=key)

        def letter() -> Any:
            with app.connection_for_read() as connection:
                message = connection.default_channel.basic_get("dead-letters", no_ack=True)  # type: ignore[attr-defined]
                return message and message.headers.get("dead_letter_of")

        results.append(check("dead letter", wait(letter), key))
        for number in range(50):
            sample.effect.delay(f"{key}:effects", str(number))
        wait(lambda: redis.scard(f"{key}:effects:started"))
        first.kill()
    with celery(directory, *worker), celery(directory, "beat", "-l", "info", *BEAT):
        results.append(check("kill -9", wait(lambda: redis.scard(f"{key}:effects") == 50), True))
        # The entries of `beat_schedule` go to the default queue, which this worker has by SAMPLE_QUEUE.
        results.append(check("beat", wait(lambda: "tasks.record" in log_of(directory)), True))
    with app.connection_for_write() as connection:
        connection.default_channel.queue_delete(key)  # type: ignore[attr-defined]  # a channel
    return all(results)


BEAT = "-S", "src.queues.scheduler:AsyncDatabaseScheduler"


def log_of(directory: Path) -> str:
    """What all processes have written."""
    return "".join(path.read_text() for path in directory.glob("*.log"))


def main() -> None:
    """Start the other stores, check, and stop."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url", help="of a running RabbitMQ")
    url = parser.parse_args().url
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        directory.chmod(0o755)
        with embedded_stores(directory / "stores") as variables:
            os.environ.update(variables | POOL, ENVIRONMENT="TESTING", CELERY_BROKER_URL=url)
            subprocess.run([sys.executable, "-m", "alembic", "upgrade", "head"], cwd=ROOT, check=True)
            passed = [run(directory, pool) for pool in (ASYNCIO, PREFORK)]
            if not all(passed):
                sys.exit(log_of(directory)[-5000:])


if __name__ == "__main__":
    main()
