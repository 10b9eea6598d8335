"""Random faults under mixed traffic; exits 1 if something was lost, repeated, or answered too late.

python -m scripts.check.faults                             a night: 60 minutes, a fault every few seconds
python -m scripts.check.faults --minutes 20 --every 60     a soak: a fault a minute, and the slope of the memory

It starts stores, two API processes, a worker and a beat of its own, with a proxy before each store, and stops them.
Faults are those of tests/faults/matrix.py, SIGKILL and SIGSTOP. `--seed` repeats their sequence.
"""

import argparse
import asyncio
import random
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from scripts.check.faults_ledger import verify
from scripts.check.faults_system import System, running_system
from scripts.check.faults_traffic import LONGEST_FAULT, Traffic
from tests.faults.matrix import FAULTS

SOAK_SECONDS = 30
"""With faults that are at least so far apart, memory is measured."""
WARM_UP_SECONDS = 300
MAXIMUM_SLOPE = 1.0
"""MiB per minute."""
SETTLE_SECONDS = 120
RECOVERY_SECONDS = 30


async def inject(system: System, traffic: Traffic, chance: random.Random, *, is_soak: bool) -> str:
    """One fault, until it is over; returns what it was, and how long until everything worked again."""
    stores, processes = list(system.proxies), list(system.processes)
    seconds, began = chance.uniform(1, LONGEST_FAULT), time.time()
    if chance.random() < 0.65:
        store, fault = chance.choice(stores), chance.choice(list(FAULTS))
        name = f"{store} {fault} for {seconds:.1f} s"
        getattr(system.proxies[store], fault)()
        await asyncio.sleep(seconds)
        await system.proxies[store].heal()
    else:
        # Memory is measured of processes that live: then only the second API is killed.
        process = "api-2" if is_soak else chance.choice(processes)
        signal = chance.choice(["kill", "pause"])
        name = f"{process} {signal}" + (f" for {seconds:.1f} s" if signal == "pause" else "")
        async with traffic.without(process):
            if signal == "kill":
                await system.kill(process)
            else:
                await system.pause(process, seconds)
    system.disturbances.append((began, time.time()))
    started = time.monotonic()
    while not await traffic.works():
        if time.monotonic() - started > RECOVERY_SECONDS:
            traffic.problems.append(f"{name}: not everything worked {RECOVERY_SECONDS} s later")
            break
        await asyncio.sleep(0.2)
    return f"{name}; all worked {time.monotonic() - started:.1f} s later"


@asynccontextmanager
async def background(*work: asyncio.Task[None]) -> AsyncIterator[None]:
    """Run tasks during the block; an error of one of them is raised at its end."""
    try:
        yield
    finally:
        for task in work:
            task.cancel()
        for task in work:
            with suppress(asyncio.CancelledError):
                await task


async def check(minutes: float, every: float, seed: int) -> list[str]:
    """Run traffic and faults, let all work end, and return what was wrong."""
    chance, is_soak = random.Random(seed), every >= SOAK_SECONDS  # noqa: S311 - reproducible, not secret
    async with running_system() as system, Traffic.started(system, seed) as traffic:
        deadline = time.monotonic() + 60 * minutes
        async with background(*traffic.start(), asyncio.create_task(system.measure_memory())):
            while (now := time.monotonic()) < deadline:
                what = await inject(system, traffic, chance, is_soak=is_soak)
                print(f"{(deadline - now) / 60:6.1f} min left  {what}; MiB: {system.memory()}", flush=True)
                pause = every - (time.monotonic() - now) if is_soak else chance.uniform(1, 2 * every)
                await asyncio.sleep(max(0, min(pause, deadline - time.monotonic())))
        growing = []
        for process, slope in system.memory_slopes(WARM_UP_SECONDS).items():
            print(f"Memory of {process}: {slope:+.2f} MiB per minute", flush=True)
            if is_soak and slope > MAXIMUM_SLOPE:
                growing.append(f"The memory of {process} grows by {slope:.2f} MiB per minute")
        missing = await verify(system, traffic, SETTLE_SECONDS)
        return [*traffic.problems, *growing, *missing]


def main() -> None:
    """Check, and print what was wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--every", type=float, default=5, help="mean seconds between faults")
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))  # noqa: S311 - not secret
    arguments = parser.parse_args()
    print(f"Seed {arguments.seed}", flush=True)
    problems = asyncio.run(check(arguments.minutes, arguments.every, arguments.seed))
    print(*(problems or ["Nothing was lost, repeated or late."]), sep="\n")
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
