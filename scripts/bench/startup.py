"""Start-up, memory and many routes, against hand-written FastAPI in the same run.

Starts are those of deployed processes: `PRODUCTION`, with the packages and the bytecode of the image.

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
from scripts.bench.production import NO_FEATURES, PYTHON, production
from scripts.bench.servers import serve, stores

DEPLOYED = {"ENVIRONMENT": "PRODUCTION"}
ROWS = {
    "no features": ("src.main:app", "/livez", DEPLOYED | NO_FEATURES),
    "default": ("src.main:app", "/livez", DEPLOYED),
    "bare": ("scripts.bench.baseline:app", "/public", DEPLOYED),
}
"""Application, path that answers when it is up, and settings; "default" has API keys and, with their key, factors."""


def start_and_weigh(application: str, path: str, environment: dict[str, str]) -> tuple[float, float, float]:
    """Seconds to the first 200, of the clock and of the CPU, and the mebibytes that the process then has (PSS)."""
    started = time.perf_counter()
    with serve(application, path, environment, PYTHON) as server:
        return time.perf_counter() - started, server.cpu_seconds, server.pss_mebibytes


def compare_starts(rounds: int) -> None:
    """Print multiples of the hand-written application's figures: medians of interleaved rounds after a warm-up."""
    found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in ROWS}
    with production() as environment:
        for number in range(rounds + 1):
            for name, (application, path, settings) in ROWS.items():
                figures = start_and_weigh(application, path, environment | settings)
                if number:
                    found[name].append(figures)
    for place, unit in enumerate(("cold start, s", "its CPU, s", "PSS, MiB")):
        medians = {name: statistics.median(figures[place] for figures in rows) for name, rows in found.items()}
        bare = medians.pop("bare")
        for name, ours in medians.items():
            print(f"{unit:14} {name:12} {ours:7.2f} bare {bare:7.2f}: {ours / bare:.2f} times (target 1.30)")


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
