"""The way to a route and back, against hand-written FastAPI in the same run.

python -m scripts.bench.auth [--only public guarded user raw codes key] [--seconds 2] [--rounds 3]
"""

import argparse
import asyncio
import os
import statistics
from contextlib import ExitStack

from scripts.bench.load import Result, get, load
from scripts.bench.servers import Server, serve, stores

CONNECTIONS = 64
TARGETS = {"public": 0.90, "guarded": 0.95, "user": 0.95, "raw": 0, "codes": 0.95, "key": 0.95}


def compare(name: str, ours: tuple[Server, bytes], bare: tuple[Server, bytes], seconds: float, rounds: int) -> None:
    """Print our rate and CPU as shares of the other's, medians of interleaved rounds after one that warms up."""
    rates: tuple[list[float], list[float]] = ([], [])
    costs: tuple[list[float], list[float]] = ([], [])
    for number in range(rounds + 1):
        for index, (server, request) in enumerate((ours, bare)):
            result, cost = measure(server, request, seconds if number else 1)
            if number:
                rates[index].append(result.rate)
                costs[index].append(cost)
    our_rate, bare_rate = (statistics.median(values) for values in rates)
    our_cost, bare_cost = (statistics.median(values) for values in costs)
    print(
        f"{name:10} {our_rate:8.0f} {bare_rate:8.0f} {our_rate / bare_rate:6.2f} {our_cost:7.0f} {bare_cost:8.0f} "
        f"{bare_cost / our_cost:6.2f} {TARGETS[name]:6.2f}",
        flush=True,
    )


def measure(server: Server, request: bytes, seconds: float) -> tuple[Result, float]:
    """One run: the result, and CPU microseconds a request."""
    before = server.cpu_seconds
    result = asyncio.run(load(server.port, request, connections=CONNECTIONS, seconds=seconds))
    if set(result.statuses) != {200}:
        raise RuntimeError(f"Not every answer was 200: {dict(result.statuses)}")
    return result, (server.cpu_seconds - before) / result.statuses.total() * 1e6


def main() -> None:
    """Start the stores and both servers, measure, and stop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=list(TARGETS), default=list(TARGETS))
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with ExitStack() as stack:
        stack.enter_context(stores())
        from scripts.bench.people import create

        caller, many = asyncio.run(create("few", 185)), asyncio.run(create("many", 10_000)).headers
        few, key = caller.headers, caller.key_headers
        ours = stack.enter_context(serve("scripts.bench.application:app", "/livez", dict(os.environ)))
        bare = stack.enter_context(serve("scripts.bench.baseline:app", "/public", dict(os.environ)))
        guarded, info = "/api/v1/bench/guarded", "/api/v1/auth/user/info"
        pairs = {
            "public": ((ours, get("/api/v1/bench/public")), (bare, get("/public"))),
            "guarded": ((ours, get(guarded, **few)), (bare, get("/guarded", **few))),
            "user": ((ours, get(info, **few)), (bare, get("/user", **few))),
            "raw": ((ours, get(info, **few)), (bare, get("/user/raw", **few))),
            "codes": ((ours, get(guarded, **many)), (ours, get(guarded, **few))),
            "key": ((ours, get(guarded, **key)), (ours, get(guarded, **few))),
        }
        print("                ours/s   bare/s  share  cpu us  bare us  share target")
        print("raw: the user info on asyncpg alone; codes: 10,000 on one user beside 185; key: beside an access token")
        measure(ours, get(guarded, **few), 1)  # the baseline only reads the cached codes
        for name in options.only:
            compare(name, *pairs[name], options.seconds, options.rounds)


if __name__ == "__main__":
    main()
