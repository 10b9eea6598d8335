"""How late a real beat sends when a hundred schedules are due per second.

python -m scripts.bench.scheduler_accuracy [--seconds 20] [--beats 1]

The schedules are spread over the second. Lateness is measured from the slot to the time that beat writes into the
message.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

import asyncpg
import psutil
from redis import Redis
from sqlalchemy import make_url

from scripts.bench.servers import ROOT, migrate
from scripts.local.stores import embedded_stores

SCHEDULES = 100
QUEUE = "bench:accuracy"
BEAT = "celery", "-A", "src.queues.app", "beat", "-S", "src.queues.scheduler:AsyncDatabaseScheduler", "-l", "error"
FILL = """
INSERT INTO schedules (
    id, create_time, update_time, name, description, origin, enabled, task, args, kwargs, queue, headers, kind, every,
    period, timezone, start_time, jitter_seconds, misfire_policy, overlap_policy, total_run_count
)
SELECT
    gen_random_uuid(), now(), now(), 'accuracy ' || n, '', 'user', true, 'system.ping', '[]', '{}', $1, '{}',
    'interval', 1, 'seconds', 'UTC', now() + interval '2 seconds' + n * interval '10 milliseconds',
    0, 'run_once', 'allow', 0
FROM generate_series(1, $2::int) AS n
"""


async def fill(url: str) -> None:
    """Leave only the measured schedules enabled."""
    connection = await asyncpg.connect(url)
    await connection.execute("UPDATE schedules SET enabled = false")
    await connection.execute(FILL, QUEUE, SCHEDULES)
    await connection.close()


def lateness(headers: dict[str, str]) -> float:
    """The lateness of a message, in milliseconds."""
    late = datetime.fromisoformat(headers["queued_at"]) - datetime.fromisoformat(headers["scheduled_for"])
    return late.total_seconds() * 1000


def measure(environment: dict[str, str], seconds: int, beats: int) -> None:
    """Run beats, and print their lateness and CPU."""
    redis: Redis = Redis.from_url(environment["CELERY_REDIS_URL"], decode_responses=True)
    url = make_url(environment["SQL_DATABASE_URL"]).set(drivername="postgresql")
    command = [sys.executable, "-m", *BEAT]
    processes = [psutil.Popen(command, cwd=ROOT, env=environment) for _ in range(beats)]
    time.sleep(5)  # until they have merged the configuration, whose rows are disabled next
    asyncio.run(fill(url.render_as_string(hide_password=False)))
    time.sleep(3)
    before = [sum(process.cpu_times()[:2]) for process in processes]
    first = redis.llen(QUEUE)
    time.sleep(seconds)
    cores = sum(sum(process.cpu_times()[:2]) for process in processes) - sum(before)
    messages = [json.loads(message)["headers"] for message in redis.lrange(QUEUE, 0, -1 - first)]
    for process in processes:
        process.terminate()
        process.wait(20)
    late = sorted(map(lateness, messages))
    print(f"{beats} beats, {len(late) / seconds:.0f} messages per second, {100 * cores / seconds:.1f} % of a core")
    print(", ".join(f"{name} {late[int(part * (len(late) - 1))]:.1f} ms" for name, part in PARTS.items()))
    print(f"sent twice: {len(messages) - len({headers['id'] for headers in messages})}")


PARTS = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1}


def main() -> None:
    """Start the stores, migrate them, and measure."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seconds", type=int, default=20)
    options.add_argument("--beats", type=int, default=1)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-", dir="/tmp", ignore_cleanup_errors=True) as directory:
        Path(directory).chmod(0o755)
        with embedded_stores(Path(directory)) as variables:
            environment = {**os.environ, **variables, "ENVIRONMENT": "TESTING"}
            environment["CELERY_REDIS_URL"] = environment["REDIS_DATABASE_URL"].rpartition("/")[0] + "/1"
            migrate(environment)
            measure(environment, chosen.seconds, chosen.beats)


if __name__ == "__main__":
    main()
