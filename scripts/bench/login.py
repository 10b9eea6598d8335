"""What a login costs beside its hash and its RSA, and what logins leave of the server for others.

python -m scripts.bench.login [--seconds 3] [--rounds 3]
"""

import argparse
import asyncio
import base64
import json
import os
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from scripts.bench.load import Result, get, load
from scripts.bench.servers import Server, serve, stores

AT_ONCE = 4
OAEP = padding.OAEP(mgf=padding.MGF1(hashes.SHA256()), algorithm=hashes.SHA256(), label=None)


def logins(username: str) -> Iterator[bytes]:
    """Requests, each with a challenge of its own."""
    from scripts.bench.people import PASSWORD
    from src.core.config import settings
    from src.core.security.credential import CredentialBox
    from src.services.challenge import ChallengeService

    key = settings.auth.rsa_private_key.public_key()
    kid = CredentialBox(settings.auth).kid
    challenges = ChallengeService(settings.auth, None)  # type: ignore[arg-type]  # Redis is asked when one is spent
    while True:
        content = json.dumps({"p": PASSWORD, "c": challenges.issue(int(time.time()))}).encode()
        password = base64.b64encode(key.encrypt(content, OAEP)).decode()
        body = json.dumps({"username": username, "password": password, "kid": kid})
        head = f"POST /api/v1/auth/login HTTP/1.1\r\nHost: bench\r\nContent-Length: {len(body)}\r\n"
        yield f"{head}Content-Type: application/json\r\nUser-Agent: bench\r\n\r\n{body}".encode()


def alone(requests: Iterator[bytes]) -> Callable[[], None]:
    """The hash and the RSA of one login, and nothing else."""
    from scripts.bench.people import PASSWORD
    from src.core.config import settings
    from src.core.security.credential import CredentialBox
    from src.utils.password import hash_password, verify_password

    box, hashed = CredentialBox(settings.auth), hash_password(PASSWORD)
    body = json.loads(next(requests).partition(b"\r\n\r\n")[2])

    def work() -> None:
        credential = box.open(body["password"], body["kid"])
        if credential is None or not verify_password(credential.password, hashed)[0]:
            raise RuntimeError("The work alone went wrong.")

    return work


def measure(server: Server, requests: Iterator[bytes], seconds: float) -> float:
    """CPU seconds a login."""
    before = server.cpu_seconds
    result = asyncio.run(load(server.port, requests, connections=AT_ONCE, seconds=seconds))
    if set(result.statuses) != {200}:
        raise RuntimeError(f"Not every answer was 200: {dict(result.statuses)}")
    return (server.cpu_seconds - before) / result.statuses.total()


def main() -> None:
    """Start the stores and the server, measure, and stop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    shares: list[float] = []
    costs: list[float] = []
    kept: list[float] = []
    rates: list[float] = []
    with ExitStack() as stack:
        stack.enter_context(stores())
        os.environ["LOGIN_FAILURES_PER_ACCOUNT"] = "1000000"  # each try counts until it has succeeded
        from scripts.bench.people import create

        requests = logins(asyncio.run(create("few", 185)).username)
        work = alone(requests)
        # As many threads as the server has: two hashes at once share the memory's bandwidth.
        pool = stack.enter_context(ThreadPoolExecutor(2))
        ours = stack.enter_context(serve("scripts.bench.application:app", "/livez", dict(os.environ)))
        constant = get("/api/v1/bench/public")

        async def together() -> tuple[Result, Result]:
            return await asyncio.gather(
                load(ours.port, requests, connections=AT_ONCE, seconds=options.seconds),
                load(ours.port, constant, connections=8, seconds=options.seconds),
            )

        for _ in range(options.rounds):
            started = time.process_time()
            list(pool.map(lambda _: work(), range(40)))
            single = (time.process_time() - started) / 40
            cost = measure(ours, requests, options.seconds)
            shares.append(single / cost)
            costs.append((cost - single) * 1000)
            quiet = asyncio.run(load(ours.port, constant, connections=8, seconds=options.seconds))
            busy = asyncio.run(together())
            rates.append(busy[0].rate)
            kept.append(busy[1].rate / quiet.rate)
    print(f"hash and RSA alone / login, CPU: {statistics.median(shares):.2f} (target 0.90)", end=" ")
    print(f"({statistics.median(costs):.1f} ms beside them)")
    print(f"beside {AT_ONCE} logins in flight ({statistics.median(rates):.0f}/s) a public route keeps", end=" ")
    print(f"{statistics.median(kept):.2f} of its rate (target 0.90)")


if __name__ == "__main__":
    main()
