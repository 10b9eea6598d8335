"""What a client with an account, or one that guesses, can try: tokens, logins, refreshes, revocations."""

import asyncio
import base64
import json
import random
import statistics
import string
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx

from docs.client.python.api_client.session import encrypt
from scripts.check.anonymous import probe

AGENT = {"User-Agent": "attack"}
NOTICES = "GET:/api/v1/notices"


class Attack:
    """An attacker's view of one or two API processes."""

    def __init__(self, clients: list[httpx.AsyncClient], seed: int) -> None:
        self.clients = clients
        self.client = clients[0]
        self.random = random.Random(seed)  # noqa: S311 - reproducible, not secret

    async def login(self, username: str, password: str) -> httpx.Response:
        """The response to a login."""
        body = {"username": username, **await encrypt(self.client, password)}
        return await self.client.post("/api/v1/auth/login", json=body, headers=AGENT)

    async def tokens(self, username: str, password: str) -> dict[str, str]:
        """A new token pair."""
        data: dict[str, str] = (await self.login(username, password)).json()["data"]
        return data

    async def mutated_tokens(self, count: int) -> Counter[int]:
        """Change, cut, swap and retype real tokens; every response has to be 401."""
        tokens = await self.tokens("admin", "123456")
        statuses: Counter[int] = Counter()
        for _ in range(count):
            real = self.random.choice([tokens["accessToken"], tokens["refreshToken"]])
            while (token := self._mutate(real)) == real:
                pass
            headers = {b"Authorization": b"Bearer " + token.encode("latin-1", "replace")}
            statuses[(await self.client.get("/api/v1/auth/user/info", headers=headers)).status_code] += 1
        return statuses

    def _mutate(self, token: str) -> str:
        header, payload, signature = token.split(".")
        flip = self.random.randrange(10)
        if flip == 0:
            return f"{_b64({'alg': 'none', 'typ': 'at+jwt'})}.{payload}."
        if flip == 1:
            algorithm = self.random.choice(["HS384", "RS256", "ES256", "nOnE", ""])
            return f"{_b64({'alg': algorithm, 'typ': 'at+jwt'})}.{payload}.{signature}"
        if flip == 2:
            return ".".join(self.random.sample([header, payload, signature, "e30"], 3))
        if flip == 3:
            return token[: self.random.randrange(1, len(token))]
        if flip == 4:
            claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
            claims[self.random.choice(list(claims))] = self.random.choice(
                [None, 0, -1, 2**70, "", [], {}, True, "x" * 99]
            )
            return f"{header}.{_b64(claims)}.{signature}"
        if flip == 5:
            return token + self.random.choice([".", "=", "~", "é", "%00", "." * 50])
        position = self.random.randrange(len(token) - 1)
        wrong = self.random.choice(string.ascii_letters + string.digits + "-_.")
        while wrong == token[position]:
            wrong = self.random.choice(string.ascii_letters)
        return token[:position] + wrong + token[position + 1 :]

    async def random_ciphertexts(self, count: int) -> Counter[int]:
        """Log in with random ciphertexts; every response has to be 401 or 422."""
        kid = (await self.client.get("/api/v1/auth/keys/public")).json()["data"]["kid"]
        statuses: Counter[int] = Counter()
        for _ in range(count):
            noise = self.random.randbytes(self.random.choice([384, 384, 384, 383, 256, 1, 0]))
            body = {"username": "admin", "password": base64.b64encode(noise).decode(), "kid": kid}
            statuses[(await self.client.post("/api/v1/auth/login", json=body)).status_code] += 1
        return statuses

    async def hostile_bodies(self, count: int) -> Counter[int]:
        """Send malformed input; every response has to be a 4xx."""
        makers: list[Callable[[], bytes]] = [
            lambda: b"{" * self.random.randrange(1, 5000),
            lambda: b"[" * 100_000,
            lambda: self.random.randbytes(self.random.randrange(2000)),
            lambda: json.dumps({"username": "x" * self.random.randrange(10**5), "password": 1, "kid": []}).encode(),
            lambda: b'{"username": "\\ud800", "password": "\\u0000", "kid": "' + b"a" * 70 + b'"}',
            lambda: b'{"username": 1e999, "password": NaN, "kid": -0}',
            lambda: json.dumps({"username": "a", "password": "b", "kid": "c", "x" * 9: {"y": [1] * 99}}).encode(),
            lambda: b"\xff\xfe" + '{"username": "a"}'.encode("utf-16-le"),
            lambda: b'{"username": "a", "username": "b"}',
            lambda: b"null",
        ]
        statuses: Counter[int] = Counter()
        for _ in range(count):
            headers = {"Content-Type": self.random.choice(["application/json", "text/plain", "application/xml", ""])}
            content = self.random.choice(makers)()
            answer = await self.client.post("/api/v1/auth/login", content=content, headers=headers)
            statuses[answer.status_code] += 1
        return statuses

    async def racing_refreshes(self, rounds: int, racers: int) -> Counter[int]:
        """Use one refresh token many times concurrently; every round has to yield one successor."""
        successors: Counter[int] = Counter()
        for _ in range(rounds):
            token = (await self.tokens("admin", "123456"))["refreshToken"]
            headers = {**AGENT, "X-Refresh-Token": token}
            answers = await asyncio.gather(
                *(
                    self.clients[racer % len(self.clients)].post("/api/v1/auth/token/refresh", headers=headers)
                    for racer in range(racers)
                )
            )
            successors[len({a.json()["data"]["refreshToken"] for a in answers if a.status_code == 200})] += 1
        return successors

    async def stale_allows(self, revocations: int, readers: int) -> Counter[str]:
        """Grant and revoke a permission under load on both processes; no request may pass after a revocation's 200."""
        admin = {"Authorization": f"Bearer {(await self.tokens('admin', '123456'))['accessToken']}"}
        role = {"name": "Reader", "code": "reader", "interfacePermissions": [NOTICES]}
        made = (await self.client.post("/api/v1/roles", json=role, headers=admin)).json()["data"]
        user = {"name": "Reader", "username": "reader", "email": "reader@example.com", "roles": ["reader"]}
        user |= await encrypt(self.client, "a long enough password")
        await self.client.post("/api/v1/users", json=user, headers=admin)
        tokens = await self.tokens("reader", "a long enough password")
        reader = {"Authorization": f"Bearer {tokens['accessToken']}", **AGENT}
        granted, changed_at, done = True, 0.0, False
        seen: Counter[str] = Counter()

        async def read(client: httpx.AsyncClient) -> None:
            while not done:
                before, asked = granted, time.perf_counter()
                status = (await client.get("/api/v1/notices", headers=reader)).status_code
                settled = before == granted and changed_at < asked
                expected = {True: 200, False: 403}[before]
                seen["reads"] += 1
                if settled and status != expected:
                    seen["stale allows" if status == 200 else f"wrong {status}"] += 1

        tasks = [asyncio.create_task(read(self.clients[n % len(self.clients)])) for n in range(readers)]
        for _ in range(revocations):
            for codes in ([], [NOTICES]):
                changed_at = float("inf")  # until the response arrives, both outcomes are right
                body = {"interfacePermissions": codes}
                await self.client.put(f"/api/v1/roles/{made['id']}", json=body, headers=admin)
                granted, changed_at = bool(codes), time.perf_counter()
                await asyncio.sleep(0.005)
        done = True
        await asyncio.gather(*tasks)
        return seen

    async def failing_logins(self, count: int) -> dict[str, float]:
        """The median seconds of each kind of failed login, interleaved; all response bodies have to be equal."""
        admin = {"Authorization": f"Bearer {(await self.tokens('admin', '123456'))['accessToken']}"}
        user = {"name": "Off", "username": "off", "email": "off@example.com", "status": False}
        user |= await encrypt(self.client, "a long enough password")
        await self.client.post("/api/v1/users", json=user, headers=admin)
        times: dict[str, list[float]] = {"unknown": [], "wrong": [], "disabled": [], "garbage": []}
        bodies = set()
        for _ in range(count):
            requests = {
                "unknown": {"username": "nobody-here", **await encrypt(self.client, "some password")},
                "wrong": {"username": "admin", **await encrypt(self.client, "some password")},
                "disabled": {"username": "off", **await encrypt(self.client, "a long enough password")},
                "garbage": {"username": "admin", **await encrypt(self.client, "123456")},
            }
            requests["garbage"]["password"] = base64.b64encode(self.random.randbytes(384)).decode()
            for name, body in self.random.sample(list(requests.items()), len(requests)):
                started = time.perf_counter()
                answer = await self.client.post("/api/v1/auth/login", json=body)
                times[name].append(time.perf_counter() - started)
                bodies.add((answer.status_code, answer.json()["error"], answer.json()["message"]))
        if len(bodies) != 1:
            raise RuntimeError(f"The answers differ: {bodies}")
        return {name: statistics.median(values) for name, values in times.items()}

    async def login_flood(self, count: int, at_once: int) -> tuple[Counter[int], float]:
        """Many concurrent logins: their statuses, and the 99th percentile of another route's seconds in that time."""
        bodies = [{"username": "admin", **await encrypt(self.client, "123456")} for _ in range(count)]
        statuses: Counter[int] = Counter()

        async def log_in() -> None:
            while bodies:
                answer = await self.client.post("/api/v1/auth/login", json=bodies.pop(), headers=AGENT)
                statuses[answer.status_code] += 1

        over = threading.Event()
        probing = asyncio.create_task(asyncio.to_thread(probe, f"{self.client.base_url}/livez", over))
        await asyncio.gather(*(log_in() for _ in range(at_once)))
        over.set()
        seconds = sorted(await probing)
        return statuses, seconds[int(len(seconds) * 0.99)]

    async def large_bodies(self, megabytes: int) -> Counter[int]:
        """A body with a Content-Length and one without: both responses have to be 413."""

        async def chunks() -> AsyncIterator[bytes]:
            for _ in range(megabytes):
                yield bytes(1 << 20)

        contents: list[Any] = [bytes(megabytes << 20), chunks()]
        answers = [await self.client.post("/api/v1/auth/login", content=content) for content in contents]
        return Counter(answer.status_code for answer in answers)


def _b64(content: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()
