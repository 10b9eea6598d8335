"""The data path against the same by hand: pages at any depth, counts, many rows at once, and a list by HTTP.

python -m scripts.bench.data [--seconds 3] [--rounds 3] [--list-only | --relations-only | --waits]
"""

import argparse
import asyncio
import os
import statistics
import tempfile
from pathlib import Path

import httpx

from scripts.bench.auth import CONNECTIONS, measure
from scripts.bench.load import get, load
from scripts.bench.servers import Server, migrate, serve
from scripts.local.stores import embedded_stores

SMALL = 100_000
REQUESTS = 20_000
QUERY = "sort=-createTime&status=status%202&pageSize=20"


async def measure_related(rounds: int) -> None:
    """Lists with related rows."""
    from scripts.bench.relations import fill, measure_relations
    from src.core.config import settings
    from src.core.stores.sql import create_engine

    engine = create_engine(settings.sql.model_copy(update={"command_timeout_seconds": 120}))
    try:
        await fill(engine)
        await measure_relations(engine, rounds)
    finally:
        await engine.dispose()


async def measure_store(rounds: int, *, list_only: bool) -> None:
    """What needs no HTTP; leaves the smaller table for what does."""
    from scripts.bench.data_store import LARGE, measure_bulk, measure_counts, measure_pages
    from scripts.bench.items import fill
    from src.core.config import settings
    from src.core.stores.sql import create_engine

    engine = create_engine(settings.sql.model_copy(update={"command_timeout_seconds": 120}))
    try:
        if not list_only:
            await fill(engine, LARGE)
            await measure_pages(engine, rounds)
            await measure_counts(engine, rounds)
            await measure_bulk(engine, rounds)
        await fill(engine, SMALL)
    finally:
        await engine.dispose()


def measure_list(ours: Server, bare: Server, seconds: float, rounds: int) -> None:
    """Rates and CPU of 20 rows of 100,000, filtered and sorted, as shares of the hand-written application's."""
    for total in ("none", "exact"):
        query = f"{QUERY}&total={total}"
        servers = ((ours, get(f"/api/v1/bench/items?{query}")), (bare, get(f"/items?{query}")))
        rates: tuple[list[float], list[float]] = ([], [])
        costs: tuple[list[float], list[float]] = ([], [])
        for server, request in servers:  # which connect, and may say that they are busy meanwhile
            asyncio.run(load(server.port, request, connections=CONNECTIONS, seconds=0.5))
        for _ in range(rounds):
            for index, (server, request) in enumerate(servers):
                result, cost = measure(server, request, seconds)
                rates[index].append(result.rate)
                costs[index].append(cost)
        our_rate, bare_rate = (statistics.median(values) for values in rates)
        our_cost, bare_cost = (statistics.median(values) for values in costs)
        rate, cost = our_rate / bare_rate, bare_cost / our_cost
        print(
            f"list, 20 of {SMALL:,}, total={total:5}  {our_rate:7.0f} / {bare_rate:7.0f} a second {rate:5.2f}"
            f"  CPU {bare_cost:5.0f} / {our_cost:5.0f} us {cost:5.2f}  at least 0.90",
            flush=True,
        )


def measure_waits(ours: Server) -> None:
    """Whether anybody is refused or overtaken while more clients ask than there are connections to the database.

    The server measures the waits: a response also takes the time in which PostgreSQL's process is kept from a core,
    which is a matter of the kernel (with `sched_autogroup_enabled`, up to 0.3 s on two busy cores).
    """
    request = get(f"/api/v1/bench/items/timed?{QUERY}&total=exact")
    asyncio.run(load(ours.port, request, connections=CONNECTIONS, seconds=1))  # until the pools are connected
    for connections in (64, 200):
        waits: list[float] = []
        latencies: list[float] = []
        refused = 0
        while len(latencies) < REQUESTS:
            httpx.get(f"http://127.0.0.1:{ours.port}/api/v1/bench/waits")  # forgets those before
            result = asyncio.run(load(ours.port, request, connections=connections, seconds=10))
            latencies += result.latencies
            waits += httpx.get(f"http://127.0.0.1:{ours.port}/api/v1/bench/waits").json()["data"]
            refused += sum(count for status, count in result.statuses.items() if status != 200)
        wait, response = statistics.median(waits), statistics.median(latencies)
        print(
            f"list, total=exact, {connections:3} connections  {refused} of {len(latencies):,} refused, at most 0"
            f"  wait: median {wait * 1e3:.0f} ms, longest {max(waits) / wait:.2f} medians, at most 3.00"
            f"  response: {response * 1e3:.0f} ms, {max(latencies) / response:.2f}",
            flush=True,
        )


def main() -> None:
    """Start the stores, measure, and stop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--list-only", action="store_true", help="leave out what needs 1,000,000 rows")
    parser.add_argument("--waits", action="store_true", help="only how long requests wait for a connection")
    parser.add_argument("--relations-only", action="store_true", help="only lists with related rows")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        with embedded_stores(Path(directory) / "stores") as variables:
            os.environ.update(variables, ENVIRONMENT="TESTING")
            migrate()
            if not (options.list_only or options.waits):
                asyncio.run(measure_related(options.rounds))
            if options.relations_only:
                return
            asyncio.run(measure_store(options.rounds, list_only=options.list_only or options.waits))
            environment = dict(os.environ)
            with (
                serve("scripts.bench.data_application:app", "/livez", environment) as ours,
                serve("scripts.bench.data_baseline:app", "/public", environment) as bare,
            ):
                if options.waits:
                    measure_waits(ours)
                else:
                    measure_list(ours, bare, options.seconds, options.rounds)


if __name__ == "__main__":
    main()
