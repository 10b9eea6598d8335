"""Works that take turns, so that whatever else the machine does slows all of them alike."""

import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

Work = Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds of one call: on the clock, and of this process's CPU."""

    wall: float
    cpu: float


async def timed(work: Work) -> Cost:
    """What one call costs."""
    wall, cpu = time.perf_counter(), time.process_time()
    await work()
    return Cost(time.perf_counter() - wall, time.process_time() - cpu)


async def take_turns(rounds: int, *works: Work) -> list[Cost]:
    """The median cost of each; a first round, which warms caches up, does not count."""
    costs: list[list[Cost]] = [[] for _ in works]
    for number in range(rounds + 1):
        for work, seen in zip(works, costs, strict=True):
            cost = await timed(work)
            if number:
                seen.append(cost)
    return [
        Cost(statistics.median(cost.wall for cost in seen), statistics.median(cost.cpu for cost in seen))
        for seen in costs
    ]
