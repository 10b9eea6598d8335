"""The way to a route and back, and the login, against hand-written FastAPI in the same run.

python -m scripts.bench.auth [--seconds 3] [--rounds 3]
"""

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

from scripts.bench.load import Result, get, load
from scripts.bench.servers import ROOT, Server, serve
from src.local.stores import embedded_stores

CODES = 185
CONNECTIONS = 64
TARGETS = {"public": 0.90, "guarded": 0.95, "user": 0.95}


async def prepare() -> str:
    """A user with 185 codes; returns an access token."""
    from src.core.config import settings
    from src.core.database import open_resources
    from src.models.role import Role
    from src.models.user import User, UserRole
    from src.queues.app import app as celery_app
    from src.queues.emitter import RedisEmitter
    from src.queues.outbox import create_outbox
    from src.services.session import Client, SessionService
    from src.utils.password import hash_password

    events = RedisEmitter(settings.REDIS_DATABASE_URL)
    async with open_resources(settings, create_outbox(celery_app), events) as resources:
        user = User(
            name="Bench", email="bench@example.com", username="bench", password_hash=hash_password("bench-pass")
        )
        codes = ["GET:/api/v1/bench/guarded", *(f"GET:/api/v1/{uuid.uuid4()}" for _ in range(CODES - 1))]
        role = Role(name="Bench", code="bench", interface_permissions=codes)
        async with resources.unit_of_work() as uow:
            uow.session.add_all([user, role])
            await uow.session.flush()
            uow.session.add(UserRole(user_id=user.id, role_id=role.id))
        tokens = await SessionService(resources).start(user.id, Client("bench", "127.0.0.1"))
    await events.aclose()
    return tokens.access_token


def compare(ours: Server, bare: Server, token: str, seconds: float, rounds: int) -> None:
    """Print each route's rate and CPU as shares of the bare application's, medians of interleaved rounds."""
    bearer = {"Authorization": f"Bearer {token}", "User-Agent": "bench"}
    routes = {
        "public": (get("/api/v1/bench/public"), get("/public")),
        "guarded": (get("/api/v1/bench/guarded", **bearer), get("/guarded", **bearer)),
        "user": (get("/api/v1/auth/user/info", **bearer), get("/user", **bearer)),
    }
    print(
        f"{'route':10} {'ours/s':>8} {'bare/s':>8} {'share':>6} {'cpu us':>7} {'bare us':>8} {'share':>6} {'target':>6}"
    )
    for name, requests in routes.items():
        rates: tuple[list[float], list[float]] = ([], [])
        costs: tuple[list[float], list[float]] = ([], [])
        for _ in range(rounds):
            for index, (server, request) in enumerate(zip((ours, bare), requests, strict=True)):
                result, cost = measure(server, request, seconds)
                rates[index].append(result.rate)
                costs[index].append(cost)
        our_rate, bare_rate = (statistics.median(values) for values in rates)
        our_cost, bare_cost = (statistics.median(values) for values in costs)
        print(
            f"{name:10} {our_rate:8.0f} {bare_rate:8.0f} {our_rate / bare_rate:6.2f} {our_cost:7.0f} {bare_cost:8.0f} "
            f"{bare_cost / our_cost:6.2f} {TARGETS[name]:6.2f}"
        )


def measure(server: Server, request: bytes, seconds: float) -> tuple[Result, float]:
    """One run: the result, and CPU microseconds a request."""
    before = server.cpu_seconds
    result = asyncio.run(load(server.port, request, connections=CONNECTIONS, seconds=seconds))
    if set(result.statuses) != {200}:
        raise RuntimeError(f"Not every answer was 200: {dict(result.statuses)}")
    return result, (server.cpu_seconds - before) / len(result.latencies) * 1e6


def compare_login(ours: Server, seconds: float, rounds: int) -> None:
    """Logins a second and core beside the hash alone, and what a public route keeps meanwhile."""
    from src.utils.password import hash_password, verify_password

    hashed = hash_password("bench-pass")
    body = b"username=bench&password=bench-pass"
    head = f"POST /api/v1/auth/login/swagger HTTP/1.1\r\nHost: bench\r\nContent-Length: {len(body)}\r\n"
    login = head.encode() + b"Content-Type: application/x-www-form-urlencoded\r\n\r\n" + body
    constant = get("/api/v1/bench/public")

    async def together() -> tuple[Result, Result]:
        return await asyncio.gather(
            load(ours.port, login, connections=4, seconds=seconds),
            load(ours.port, constant, connections=8, seconds=seconds),
        )

    shares, kept, rates = [], [], []
    for _ in range(rounds):
        started = time.process_time()
        for _ in range(20):
            verify_password("bench-pass", hashed)
        alone = (time.process_time() - started) / 20
        _, cost = measure_login(ours, login, seconds)
        shares.append(alone / cost)
        quiet = asyncio.run(load(ours.port, constant, connections=8, seconds=seconds))
        logins, busy = asyncio.run(together())
        kept.append(busy.rate / quiet.rate)
        rates.append(logins.rate)
    print(f"login      hash alone / login, CPU: {statistics.median(shares):.2f} (target 0.90)")
    print(f"           {statistics.median(rates):.0f} logins/s, beside which a public route keeps", end=" ")
    print(f"{statistics.median(kept):.2f} of its rate (target 0.90)")


def measure_login(server: Server, request: bytes, seconds: float) -> tuple[Result, float]:
    """One run of logins: the result, and CPU seconds a login."""
    before = server.cpu_seconds
    result = asyncio.run(load(server.port, request, connections=4, seconds=seconds))
    return result, (server.cpu_seconds - before) / len(result.latencies)


def main() -> None:
    """Start the stores and both servers, measure, and stop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        with embedded_stores(Path(directory) / "stores") as variables:
            os.environ.update(variables, ENVIRONMENT="TESTING")
            subprocess.run([sys.executable, "-m", "alembic", "upgrade", "head"], cwd=ROOT, check=True)
            token = asyncio.run(prepare())
            environment = dict(os.environ)
            with (
                serve("scripts.bench.application:app", "/livez", environment) as ours,
                serve("scripts.bench.baseline:app", "/public", environment) as bare,
            ):
                compare(ours, bare, token, options.seconds, options.rounds)
                compare_login(ours, options.seconds, options.rounds)


if __name__ == "__main__":
    main()
