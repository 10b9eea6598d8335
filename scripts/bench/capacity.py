"""What an installation of some size needs: simulations of the queue and of the permission cache, and sizes of tables.

python -m scripts.bench.capacity [--users 1000 100000 10000000]   simulations, without stores: seconds
python -m scripts.bench.capacity --assume peak=6 task_seconds=0.2   your own figures: docs/capacity.md
python -m scripts.bench.capacity --tables                         also measures rows and pruning on embedded stores
python -m scripts.bench.capacity --requests                       also measures the CPU of requests

The assumptions about users are in `Profile`; docs/capacity.md shows the outcome.
"""

import argparse
import heapq
import random
from collections.abc import Iterator
from dataclasses import dataclass, fields
from statistics import fmean

DAY = 24 * 3600
SIMULATED_TASKS = 200_000
CONCURRENCY = 100
"""Tasks at once in one worker of the asyncio pool."""
PERMISSION_CACHE_SECONDS = 15 * 60
SESSION_SECONDS = 3600


@dataclass(frozen=True)
class Profile:
    """What registered users do, by assumption; `--assume` replaces it."""

    users: int
    active_a_day: float = 0.1
    requests_a_day: float = 100
    """Of an active user; a session is an hour of them."""
    runs_a_day: float = 5
    changes_a_day: float = 2
    """Audited ones."""
    files_a_day: float = 0.2
    peak: float = 4
    """The busiest hour, as a multiple of the mean."""
    online: float = 0.01
    """Of the registered users, on a socket at the peak."""
    task_seconds: float = 0.5
    task_cpu_seconds: float = 0.002
    """Of a task with a query and a write, beside 0.37 ms of the pool: docs/tasks.md."""
    users_of_a_role: float = 0.2
    """Who has the largest role that is ever changed."""

    @property
    def active(self) -> float:
        """Users that are active on a day."""
        return self.users * self.active_a_day

    def at_peak(self, a_day: float) -> float:
        """How often a second at the peak something happens that an active user does so often a day."""
        return self.active * a_day * self.peak / DAY


def waits(profile: Profile, rate: float, workers: int, seed: int = 0) -> Iterator[float]:
    """How long tasks wait in a queue that workers consume, with arrivals and durations at random.

    A worker runs `CONCURRENCY` tasks at once, and its one core gives each its CPU time.

    Args:
        profile: How long a task takes.
        rate: Tasks a second.
        workers: Processes with the asyncio pool.
        seed: Of the random numbers.
    """
    chance = random.Random(seed)  # noqa: S311 - a simulation
    slots = [0.0] * (workers * CONCURRENCY)  # when each place is free again
    cores = [0.0] * workers
    now = 0.0
    for number in range(min(SIMULATED_TASKS, max(1000, int(rate * 600)))):
        now += chance.expovariate(rate)
        free = heapq.heappop(slots)
        core = number % workers
        start = max(now, free)
        cores[core] = max(cores[core], start) + profile.task_cpu_seconds
        end = max(cores[core], start + chance.expovariate(1 / profile.task_seconds))
        heapq.heappush(slots, end)
        yield cores[core] - profile.task_cpu_seconds - now


def workers_needed(profile: Profile, rate: float) -> tuple[int, float]:
    """The fewest workers with which one task in a hundred waits over a second, and how long that one waits."""
    workers = max(1, int(rate * max(profile.task_seconds / CONCURRENCY, profile.task_cpu_seconds)))
    while True:
        ordered = sorted(waits(profile, rate, workers))
        if (late := ordered[int(len(ordered) * 0.99)]) < 1:
            return workers, late
        workers += max(1, workers // 20)


def permission_fills(profile: Profile, seed: int = 0) -> tuple[float, float]:
    """Simulate a quarter of an hour of the peak, in which a role changes.

    A user's codes are read by SQL for the first request, 15 minutes later, and after a change of one of their roles.

    Returns:
        The share of requests that find them cached, and the number of fills in the worst second.
    """
    present = profile.at_peak(profile.requests_a_day) / (profile.requests_a_day / SESSION_SECONDS)
    share = min(1.0, 5_000 / max(1.0, present))  # of the users, simulated; the rest are alike
    users, chance = max(1, int(present * share)), random.Random(seed)  # noqa: S311 - a simulation
    rate = profile.at_peak(profile.requests_a_day) * share
    filled: dict[int, float] = {}
    fills: dict[int, int] = {}
    now, requests, change = -float(PERMISSION_CACHE_SECONDS), 0, PERMISSION_CACHE_SECONDS / 2
    while now < PERMISSION_CACHE_SECONDS:
        now += chance.expovariate(rate)
        user = int(users * chance.random())
        is_changed = now >= change > filled.get(user, -1e9) and user % round(1 / profile.users_of_a_role) == 0
        is_cached = now - filled.get(user, -1e9) < PERMISSION_CACHE_SECONDS and not is_changed
        if not is_cached:
            filled[user] = now
        if now >= 0:  # before, the cache warms up
            requests += 1
            fills[int(now)] = fills.get(int(now), 0) + (not is_cached)
    return 1 - sum(fills.values()) / max(1, requests), max(fills.values(), default=0) / share


def simulate(profile: Profile) -> None:
    """Print what an installation does at its peak, and what it takes."""
    users = profile.users
    requests, runs = profile.at_peak(profile.requests_a_day), profile.at_peak(profile.runs_a_day)
    workers, late = workers_needed(profile, max(runs, 0.01))
    hits, worst = permission_fills(profile)
    mean = fmean(waits(profile, max(runs, 0.01), workers))
    print(f"{users:,} users")
    print(f"  at the peak    {requests:,.1f} requests/s, {runs:,.1f} tasks/s, {users * profile.online:,.0f} sockets")
    print(f"  workers        {workers}: a task waits {mean * 1000:.1f} ms, one in a hundred {late * 1000:.0f} ms")
    print(f"  permissions    {hits:.1%} of requests find them cached; {worst:,.0f} fills in the second after a change")


def assumption(text: str) -> tuple[str, float]:
    """The name and the value of `name=value`.

    Raises:
        ValueError: There is no such assumption, or it is no number.
    """
    name, _, value = text.partition("=")
    if name not in {field.name for field in fields(Profile)} - {"users"}:
        raise ValueError
    return name, float(value)


def main() -> None:
    """Print all of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, nargs="+", default=[1_000, 100_000, 10_000_000])
    parser.add_argument("--assume", type=assumption, nargs="+", default=[], metavar="NAME=VALUE")
    parser.add_argument("--tables", action="store_true")
    parser.add_argument("--requests", action="store_true")
    options = parser.parse_args()
    profiles = [Profile(users, **dict(options.assume)) for users in options.users]
    for profile in profiles:
        simulate(profile)
    if options.tables or options.requests:
        from scripts.bench.capacity_measured import measure

        measure(profiles, tables=options.tables, requests=options.requests)


if __name__ == "__main__":
    main()
