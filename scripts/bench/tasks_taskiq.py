"""The same tasks for taskiq.

taskiq worker scripts.bench.tasks_taskiq:broker · python -m scripts.bench.tasks_taskiq noop 5000
"""

import asyncio
import os
import sys

from taskiq_redis import ListQueueBroker, RedisAsyncResultBackend

# No timeout in redis-py: the broker's BRPOP waits without a limit.
broker = ListQueueBroker(os.environ["BENCH_BROKER"], socket_timeout=None).with_result_backend(
    RedisAsyncResultBackend(os.environ["BENCH_RESULTS"], result_ex_time=3600)
)


@broker.task(task_name="noop")  # type: ignore[untyped-decorator]  # it is not installed here
async def noop() -> None:
    """Do nothing."""


@broker.task(task_name="sleep")  # type: ignore[untyped-decorator]  # the same
async def sleep() -> None:
    """Sleep."""
    await asyncio.sleep(0.1)


async def send(name: str, count: int) -> None:
    """Enqueue a task this many times."""
    await broker.startup()
    for _ in range(count):
        await {"noop": noop, "sleep": sleep}[name].kiq()
    await broker.shutdown()


if __name__ == "__main__":
    asyncio.run(send(sys.argv[1], int(sys.argv[2])))
