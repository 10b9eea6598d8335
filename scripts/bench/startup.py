"""Start-up, memory and many routes, against hand-written FastAPI in the same run.

Ours runs in `TESTING`: it also reads the descriptions of its document, which a deployed process leaves out.

python -m scripts.bench.startup [--rounds 3]
"""

import argparse
import asyncio
import os
import statistics
import time
import urllib.request
from contextlib import ExitStack

from scripts.bench.auth import measure
from scripts.bench.load import get
from scripts.bench.production import PYTHON, production
from scripts.bench.servers import serve, stores

OURS = ("src.main:app", "/livez")
BARE = ("scripts.bench.baseline:app", "/public")


def start_and_weigh(application: str, path: str, environment: dict[str, str]) -> tuple[float, float, float]:
    """Seconds to the first 200, of the clock and of the CPU, and the mebibytes that the process then has (PSS)."""
    started = time.perf_counter()
    with serve(application, path, environment, PYTHON) as server:
        return time.perf_counter() - started, server.cpu_seconds, server.pss_mebibytes


def compare_starts(rounds: int) -> None:
    """Print both as multiples of the bare application's, medians of interleaved rounds after one that warms up."""
    ours: list[tuple[float, float, float]] = []
    bare: list[tuple[float, float, float]] = []
    with production() as environment:
        for number in range(rounds + 1):
            for values, application in ((ours, OURS), (bare, BARE)):
                found = start_and_weigh(*application, environment)
                if number:
                    values.append(found)
    for place, name in enumerate(("cold start, s", "its CPU, s", "PSS, MiB")):
        mine, other = (statistics.median(value[place] for value in values) for values in (ours, bare))
        print(f"{name:16} {mine:7.2f} bare {other:7.2f}: {mine / other:.2f} times (target 1.30)")


def compare_routes(rounds: int) -> None:
    """Print what the last of 1,000 routes costs beside the first, and how long the first request takes."""
    environment = {**os.environ, "BENCH_ROUTES": "1000"}
    costs: tuple[list[float], list[float]] = ([], [])
    with serve("scripts.bench.application:app", "/livez", environment) as server:
        paths = [f"/api/v1/bench/others-{number}/7" for number in (0, 999)]
        waits = []
        for _ in range(2):
            started = time.perf_counter()
            with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{paths[1]}"):
                waits.append((time.perf_counter() - started) * 1000)
        for _ in range(rounds):
            for values, path in zip(costs, paths, strict=True):
                values.append(measure(server, get(path), 1)[1])
    first, last = (statistics.median(values) for values in costs)
    print(f"1,000 routes     last {last:.0f} us, first {first:.0f} us: {last / first:.2f} times (target 2.50)")
    print(f"                 first request {waits[0]:.1f} ms, the next {waits[1]:.1f} ms")


def main() -> None:
    """Start the stores, measure, and stop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--no-routes", dest="routes", action="store_false", help="starts alone")
    options = parser.parse_args()
    with ExitStack() as stack:
        stack.enter_context(stores())
        from scripts.bench.people import create

        asyncio.run(create("few", 185))
        compare_starts(options.rounds)
        if options.routes:
            compare_routes(options.rounds)


if __name__ == "__main__":
    main()
