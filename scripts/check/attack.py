"""Attack a running instance as the security requirements describe, and print the results; exits 1 on a breach.

python -m scripts.check.attack     starts its own stores and two API processes, and stops them

A result has the number of its requirement, as the classes of the tests have.
"""

import asyncio
import sys
from collections.abc import Callable
from typing import Any

import httpx

from scripts.bench.servers import Server, serve
from scripts.check import raw_requests
from scripts.check.anonymous import AnonymousAttack, mebibytes, reset_peak
from scripts.check.instance import prepared
from scripts.check.login_attacks import Attack
from scripts.local.applications import WEB_LIMITS

# Enough attempts for a whole attack from one address; the limits have tests of their own.
UNTHROTTLED = {"LOGIN_FAILURES_PER_ACCOUNT": "1000000", "LOGIN_FAILURES_PER_ADDRESS": "1000000"}
# A login asks Redis three times. Where all cores are busy one may take half a second, and is 503.
PATIENT = {"REDIS_TIMEOUT_SECONDS": "5"}


async def attack(servers: list[Server]) -> list[str]:
    """Run all attacks; returns the breaches."""
    limits = httpx.Limits(max_connections=None)
    clients = [
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}", timeout=30, limits=limits) for server in servers
    ]
    attacker = Attack(clients, seed=2026)
    breaches: list[str] = []

    def judge(name: str, outcome: Any, fine: bool) -> None:
        print(f"{'ok    ' if fine else 'BREACH'} {name}: {outcome}", flush=True)
        if not fine:
            breaches.append(name)

    tokens = await attacker.mutated_tokens(3000)
    judge("row 07: 3,000 mutated tokens, by status", dict(tokens), set(tokens) == {401})
    ciphertexts = await attacker.random_ciphertexts(1000)
    judge("row 31: 1,000 random ciphertexts, by status", dict(ciphertexts), set(ciphertexts) <= {401, 422})
    bodies = await attacker.hostile_bodies(500)
    judge("row 38: 500 hostile bodies, by status", dict(bodies), all(400 <= status < 500 for status in bodies))
    successors = await attacker.racing_refreshes(200, 20)
    judge("row 09: 200 rounds of 20 refreshes, rounds by successors", dict(successors), set(successors) == {1})
    seen = await attacker.stale_allows(600, 8)
    judge("row 34: 600 revocations under 8 readers", dict(seen), set(seen) == {"reads"})
    medians = await attacker.failing_logins(120)
    spread = max(medians.values()) / min(medians.values()) - 1
    shown = {name: f"{seconds * 1000:.1f} ms" for name, seconds in medians.items()}
    judge(f"row 19: four kinds of failed login, medians within {spread:.1%} (at most 5 %)", shown, spread <= 0.05)
    statuses, delay = await attacker.login_flood(400, 100)
    shown_flood = f"{dict(statuses)}, another route's p99 {delay * 1000:.0f} ms (at most 50)"
    judge("row 27: 400 logins, 100 at once, by status", shown_flood, set(statuses) <= {200, 503} and delay <= 0.05)
    before = reset_peak(servers[0])
    refused = await attacker.large_bodies(100)
    grown = mebibytes(servers[0], "VmHWM") - before
    judge(
        f"row 46: 100 MiB bodies, {grown:.1f} MiB more memory, by status",
        dict(refused),
        set(refused) == {413} and grown <= 10,
    )
    await attack_without_account(servers[0], attacker, judge)
    for client in clients:
        await client.aclose()
    return breaches


async def attack_without_account(server: Server, attacker: Attack, judge: Callable[[str, Any, bool], None]) -> None:
    """Run the attacks of `anonymous.py` and the generated raw requests, and judge their outcomes by their bounds."""
    anonymous = AnonymousAttack(server, attacker.client)
    size, slower = await anonymous.bodies_of_keys()
    shown = f"answer {size} bytes (at most 65536), /livez beside it {slower:.1f} times slower (at most 5)"
    judge("row 47: bodies of 65,000 keys for five seconds", shown, size <= 65_536 and slower <= 5)
    heads, grown = await anonymous.large_heads(48)
    judge(
        f"row 48: heads of 48 MiB, {grown:.1f} MiB more (at most 10), by status",
        dict(heads),
        set(heads) <= {414, 431} and grown <= 10,
    )
    statuses, grown = await anonymous.pipelined_requests(40)
    judge(
        f"row 48: 40 MiB of pipelined requests, {grown:.1f} MiB more (at most 10), by status",
        dict(statuses),
        set(statuses) <= {0, 200} and grown <= 10,
    )
    closed, grown = await anonymous.large_messages(10)
    judge(
        f"row 49: 10 messages of 16 MiB, {grown:.1f} MiB more (at most 10), closed with 1009",
        closed,
        closed == 10 and grown <= 10,
    )
    opened = await anonymous.silent_websockets(1100)
    judge("row 51: 1,100 silent websockets, the last 100 by status", dict(opened), set(opened) == {101})
    slow, seconds = await anonymous.slow_requests()
    judge(
        f"row 50: 5 requests that stop, {seconds:.1f} s (at most 16), by status",
        dict(slow),
        set(slow) == {408} and seconds <= 16,
    )
    status, seconds = await anonymous.large_poll()
    judge(
        f"row 52: a polling POST of 300 KB, {seconds:.2f} s (at most 1), status", status, status == 413 and seconds <= 1
    )
    admin = {"Authorization": f"Bearer {(await attacker.tokens('admin', '123456'))['accessToken']}"}
    paths = await anonymous.hostile_paths(admin)
    judge("row 54: NUL in the path of each operation, by status", dict(paths), set(paths) <= {404, 422})
    before = mebibytes(server)
    raw = await raw_requests.attack(server.port, 3000, seed=2026)
    shown = f"{dict(sorted(raw.statuses.items()))}, longest {raw.longest_seconds:.1f} s (at most 32), stuck {raw.stuck}"
    judge(
        "row 48: 3,000 raw requests, by status",
        shown,
        max(raw.statuses) < 500 and raw.longest_seconds <= 32 and not raw.stuck,
    )
    grown = mebibytes(server) - before
    judge("row 48: memory after them", f"{grown:.1f} MiB more (at most 20)", grown <= 20)
    many, seconds = await anonymous.too_many(7000)
    served = 6000 * (1 + seconds // 60)
    judge(f"row 55: 7,000 refreshes of one address, 401 at most {served:.0f}", dict(many), many[401] <= served)
    metrics = len((await attacker.client.get("/metrics")).content)
    judge("metrics: size", f"{metrics} bytes (at most 131072)", metrics <= 131_072)


def main() -> int:
    """Start stores and servers, attack, stop."""
    with (
        prepared(**UNTHROTTLED, **PATIENT) as environment,
        serve("src.main:app", "/livez", environment, options=WEB_LIMITS) as first,
        serve("src.main:app", "/livez", environment, options=WEB_LIMITS) as second,
    ):
        return 1 if asyncio.run(attack([first, second])) else 0


if __name__ == "__main__":
    sys.exit(main())
