"""Kill beats at random while a thousand schedules run, and count the runs; exits 1 if one is missing.

python -m scripts.check.beats      starts its own stores and two beats, and stops them
"""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
from redis import Redis
from sqlalchemy import make_url

from scripts.bench.servers import ROOT
from scripts.local.stores import embedded_stores

SCHEDULES = 1000
KILLS = 20
PERIODS = 2, 3, 5, 7
QUEUE = "check:beats"
BEAT = "celery", "-A", "src.queues.app", "beat", "-S", "src.queues.scheduler:AsyncDatabaseScheduler", "-l", "error"
DONE_SECONDS = 30


class Beats:
    """Two beats, each replaced when it is killed."""

    def __init__(self, environment: dict[str, str], seed: int) -> None:
        self.environment = environment
        self.random = random.Random(seed)  # noqa: S311 - reproducible, not secret
        self.processes = [self._start(), self._start()]

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-m", *BEAT], cwd=ROOT, env=self.environment)  # noqa: S603 - ours

    def kill_one(self) -> None:
        """Kill a beat with SIGKILL at a random moment, and start another."""
        index = self.random.randrange(2)
        self.processes[index].send_signal(signal.SIGKILL)
        self.processes[index].wait()
        self.processes[index] = self._start()

    def stop(self) -> None:
        """Stop both."""
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait(20)


async def insert_schedules(connection: "asyncpg.Connection[Any]", now: datetime) -> None:
    """Fill the table with a thousand interval schedules that catch up on missed runs, and nothing else."""
    await connection.execute("UPDATE schedules SET enabled = false")
    await connection.execute(
        """
        INSERT INTO schedules (
            id, create_time, update_time, name, description, origin, enabled, task, args, kwargs, queue, headers,
            kind, every, period, timezone, start_time, jitter_seconds, misfire_policy, overlap_policy, total_run_count
        )
        SELECT
            gen_random_uuid(), $1, $1, 'beats ' || n, '', 'user', true, 'system.ping', '[]', '{}', $2, '{}',
            'interval', ($3::int[])[n % array_length($3::int[], 1) + 1], 'seconds', 'UTC', $1, 0, 'catch_up', 'allow', 0
        FROM generate_series(1, $4) AS n
        """,
        *(now, QUEUE, list(PERIODS), SCHEDULES),
    )


def sent(redis: Redis) -> list[dict[str, Any]]:
    """The headers of all messages."""
    return [json.loads(message)["headers"] for message in redis.lrange(QUEUE, 0, -1)]


async def check(environment: dict[str, str], seed: int) -> bool:
    """Run the whole trial; returns whether every run was sent."""
    url = make_url(environment["SQL_DATABASE_URL"]).set(drivername="postgresql").render_as_string(hide_password=False)
    redis: Redis = Redis.from_url(environment["CELERY_REDIS_URL"], decode_responses=True)
    connection = await asyncpg.connect(url)
    start = (await connection.fetchval("SELECT now()")) + timedelta(seconds=10)
    beats = Beats(environment, seed)
    await asyncio.sleep(5)  # until both have merged their configuration, which would enable its rows again
    await insert_schedules(connection, start)
    await asyncio.sleep(6)
    for _ in range(KILLS):
        await asyncio.sleep(beats.random.uniform(0.5, 2.5))
        beats.kill_one()
    end = await connection.fetchval("SELECT now()")
    every = dict(await connection.fetch("SELECT id::text, every FROM schedules WHERE queue = $1", QUEUE))
    expected = {
        (key, start + timedelta(seconds=seconds * number))
        for key, seconds in every.items()
        for number in range(int((end - start).total_seconds()) // seconds + 1)
    }
    deadline = time.monotonic() + DONE_SECONDS
    while missing := expected - slots(sent(redis)):
        if time.monotonic() > deadline:
            break
        await asyncio.sleep(1)
    beats.stop()
    report(sent(redis), expected, missing)
    await connection.close()
    return not missing


def slots(messages: list[dict[str, Any]]) -> set[tuple[str, datetime]]:
    """The schedule and the due time of each message."""
    return {(headers["schedule_id"], datetime.fromisoformat(headers["scheduled_for"])) for headers in messages}


def report(messages: list[dict[str, Any]], expected: set[Any], missing: set[Any]) -> None:
    """Print what was sent, and whether duplicates can be recognised."""
    ids: dict[tuple[str, str], list[str]] = defaultdict(list)
    for headers in messages:
        ids[headers["schedule_id"], headers["scheduled_for"]].append(headers["id"])
    repeated = {slot: sent for slot, sent in ids.items() if len(sent) > 1}
    print(f"{KILLS} kills, {SCHEDULES} schedules: {len(expected)} slots due, {len(missing)} missing")
    print(
        f"{len(messages)} messages, {len(repeated)} slots sent more than once: {Counter(map(len, repeated.values()))}"
    )
    strangers = sum(len(set(sent)) > 1 for sent in repeated.values())
    print(f"repeats under another id: {strangers}")


def main() -> int:
    """Start the stores, migrate them, and check."""
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    with tempfile.TemporaryDirectory(prefix="check-", dir="/tmp", ignore_cleanup_errors=True) as directory:
        Path(directory).chmod(0o755)
        with embedded_stores(Path(directory)) as variables:
            environment = {**os.environ, **variables, "ENVIRONMENT": "TESTING"}
            environment["CELERY_REDIS_URL"] = environment["REDIS_DATABASE_URL"].rpartition("/")[0] + "/1"
            subprocess.run([sys.executable, "-m", "alembic", "upgrade", "head"], cwd=ROOT, env=environment, check=True)
            return 0 if asyncio.run(check(environment, seed)) else 1


if __name__ == "__main__":
    sys.exit(main())
