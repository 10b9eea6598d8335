"""Whether the time of a response tells which e-mail addresses have an account: medians have to be within 5 %.

python -m scripts.check.email_timing

Runs the application on stores of its own. Requests for known and unknown addresses alternate in random order.
"""

import asyncio
import random
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from uuid import uuid4

import httpx

from docs.client.python.api_client.session import encrypt
from scripts.check.instance import instance

REQUESTS = 300
ACCOUNTS = 75
BOUND = 0.05
SETTINGS = {
    "SMTP_URL": "smtp://127.0.0.1:9",  # no worker runs, so nothing is sent
    "EMAIL_FROM": "noreply@example.com",
    "EMAIL_LINK_URL": "http://localhost",
    "AUTH_REGISTRATION_ENABLED": "true",
    "RATE_LIMIT_FACTOR": "0",
}

Send = Callable[[str], Awaitable[httpx.Response]]


class Prober:
    """Sends requests that take an address."""

    def __init__(self, client: httpx.AsyncClient, headers: dict[str, str]) -> None:
        self.client = client
        self.headers = headers

    async def forget(self, email: str) -> httpx.Response:
        """Ask for a new password."""
        return await self.client.post("/api/v1/auth/password/forgot", json={"email": email})

    async def invite(self, email: str) -> httpx.Response:
        """Invite somebody, as an administrator."""
        return await self.client.post("/api/v1/users/invitations", json={"email": email}, headers=self.headers)

    async def register(self, email: str) -> httpx.Response:
        """Register with an address, and a name that nobody has."""
        body = {"name": "Somebody", "username": uuid4().hex, "email": email}
        body |= await encrypt(self.client, "correct horse battery staple")
        return await self.client.post("/api/v1/auth/register", json=body)

    async def create(self, email: str) -> None:
        """Create an account with this address, as an administrator."""
        body = {"name": "Somebody", "username": uuid4().hex, "email": email}
        body |= await encrypt(self.client, "correct horse battery staple")
        (await self.client.post("/api/v1/users", json=body, headers=self.headers)).raise_for_status()


async def measure(send: Send, known: list[str]) -> dict[str, float]:
    """The median seconds of responses for known and for unknown addresses; each known one is used equally often."""
    addresses = [(kind, email) for kind in ("known", "unknown") for email in _repeated(kind, known)]
    random.shuffle(addresses)
    seconds: dict[str, list[float]] = defaultdict(list)
    answers = set()
    for kind, email in addresses:
        started = time.perf_counter()
        response = await send(email)
        seconds[kind].append(time.perf_counter() - started)
        answers.add((response.status_code, response.json()["message"]))
    if len(answers) > 1:
        sys.exit(f"The responses differ: {answers}")
    return {kind: statistics.median(values) for kind, values in seconds.items()}


def _repeated(kind: str, known: list[str]) -> list[str]:
    times = REQUESTS // len(known)
    return known * times if kind == "known" else [address() for _ in range(REQUESTS)]


def address() -> str:
    """An address that nobody has."""
    return f"{uuid4().hex}@example.com"


async def main() -> int:
    """Print the medians, and return 1 if one pair differs by more than 5 %."""
    with instance(**SETTINGS) as server:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}", timeout=30) as client:
            login = {"username": "admin", "password": "123456"}
            token = (await client.post("/api/v1/auth/login/swagger", data=login)).json()["access_token"]
            prober = Prober(client, {"Authorization": f"Bearer {token}"})
            known = [address() for _ in range(ACCOUNTS)]
            for email in known:
                await prober.create(email)
            is_wrong = False
            for send in (prober.forget, prober.invite, prober.register):
                await measure(send, [address() for _ in range(ACCOUNTS)])  # warm up
                medians = await measure(send, known)
                difference = abs(medians["known"] / medians["unknown"] - 1)
                is_wrong |= difference > BOUND
                print(
                    f"{send.__name__:<9} known {medians['known'] * 1000:.2f} ms, "
                    f"unknown {medians['unknown'] * 1000:.2f} ms, difference {difference:.1%}"
                )
    return int(is_wrong)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
