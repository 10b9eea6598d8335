"""Mixed traffic on two API processes, which remembers what was confirmed."""

import asyncio
import itertools
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Self

import aiohttp
import httpx
import socketio
from socketio.exceptions import SocketIOError

from scripts.check.faults_system import System
from scripts.check.login_attacks import AGENT, Attack
from tests.support.waiting import eventually

API = "/api/v1"
ROOM = {"room": "faults"}
SESSIONS, WRITERS, CHATTERS = 5, 4, 2
LONGEST_FAULT = 12.0
MAXIMUM_SECONDS = 10 * 1.1 + 1
"""`REQUEST_TIMEOUT_SECONDS`, a tenth, and a second for a busy machine."""
PATIENCE_SECONDS = 30
START_SECONDS = 60


class Traffic:
    """Clients that write, chat, upload and refresh, and what they were told.

    Attributes:
        notices: The titles of notices whose creation was confirmed; `lines` and `files` likewise.
        lost_sessions: Refreshes that were refused.
        problems: What was wrong already.
        first_slot: When the schedule of this traffic began; it is due each second.
    """

    def __init__(self, system: System, seed: int) -> None:
        self.system = system
        self.random = random.Random(seed + 1)  # noqa: S311 - reproducible, not secret
        self.notices: set[str] = set()
        self.lines: set[str] = set()
        self.files: dict[str, bytes] = {}
        self.lost_sessions = 0
        self.problems: list[str] = []
        self.answers: Counter[str] = Counter()
        self.slowest = 0.0
        self.schedule_id = ""
        self.first_slot = datetime.max.replace(tzinfo=UTC)
        self._numbers = itertools.count()
        self._clients = [httpx.AsyncClient(base_url=url, timeout=PATIENCE_SECONDS) for url in system.urls]
        self._sessions: list[dict[str, str]] = []
        self._excused: dict[int, float] = {}

    @classmethod
    @asynccontextmanager
    async def started(cls, system: System, seed: int) -> AsyncIterator[Self]:
        """Logged in, with a schedule."""
        traffic = cls(system, seed)
        for _ in range(SESSIONS):
            traffic._sessions.append(await Attack(traffic._clients, seed).tokens("admin", "123456"))
        traffic.first_slot = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=5)
        body = {"name": "faults", "task": "system.ping", "kind": "interval", "every": 1, "period": "seconds"}
        body |= {"startTime": traffic.first_slot.isoformat(), "misfirePolicy": "catch_up"}
        created = await traffic._clients[0].post(f"{API}/schedules", json=body, headers=traffic.headers())
        traffic.schedule_id = created.raise_for_status().json()["data"]["id"]
        await eventually(traffic._schedule_runs, START_SECONDS)
        try:
            yield traffic
        finally:
            for client in traffic._clients:
                await client.aclose()

    def start(self) -> list[asyncio.Task[None]]:
        """Start all clients."""
        work: list[tuple[Callable[[int], Awaitable[None]], float, int]] = [
            (self._write, 0.2, WRITERS),
            (self._use_session, 0.5, SESSIONS),
            (self._refresh, 4, SESSIONS),
            (self._upload, 1, 1),
        ]
        tasks = [
            asyncio.create_task(self._repeat(action, pause, number))
            for action, pause, count in work
            for number in range(count)
        ]
        return [*tasks, *(asyncio.create_task(self._chat(number)) for number in range(CHATTERS))]

    @asynccontextmanager
    async def without(self, process: str) -> AsyncIterator[None]:
        """Excuse late and missing responses of a process that is killed or paused."""
        number = int(process[-1]) - 1 if process.startswith("api") else -1
        self._excused[number] = float("inf")
        yield
        self._excused[number] = time.monotonic() + 1

    async def works(self) -> bool:
        """Whether both processes and all stores serve."""
        for client in self._clients:
            try:
                ready = await client.get("/readyz")
            except httpx.TransportError:
                return False
            if ready.json().get("status") != "ok":
                return False
        return True

    async def _schedule_runs(self) -> bool:
        """Whether beat has seen the schedule: it catches up with what was missed after that."""
        path = f"{API}/schedules/{self.schedule_id}"
        response = await self._clients[0].get(path, headers=self.headers())
        return bool(response.raise_for_status().json()["data"]["totalRunCount"])

    def headers(self, number: int = 0) -> dict[str, str]:
        """Those of a session's requests."""
        return {"Authorization": f"Bearer {self._sessions[number]['accessToken']}", **AGENT}

    async def send(self, method: str, path: str, number: int = 0, **options: Any) -> httpx.Response | None:
        """The response of one of the processes; None if the connection broke. Judges status and time."""
        api = self.random.randrange(len(self._clients))
        started = time.monotonic()
        options.setdefault("headers", self.headers(number))
        try:
            response = await self._clients[api].request(method, API + path, **options)
        except httpx.TransportError as error:
            response = None
            if isinstance(error, httpx.TimeoutException) and not self._is_excused(api, started):
                self.problems.append(f"{method} {path}: no response in {PATIENCE_SECONDS} s")
        seconds = time.monotonic() - started
        status = str(response.status_code) if response is not None else "no connection"
        self.answers[status] += 1
        if not self._is_excused(api, started):
            self.slowest = max(self.slowest, seconds)
            if seconds > MAXIMUM_SECONDS:
                self.problems.append(f"{method} {path}: {status} after {seconds:.1f} s")
        if status not in ("200", "201", "503", "no connection", "401"):
            self.problems.append(f"{method} {path}: {status}")
        return response

    def _is_excused(self, api: int, started: float) -> bool:
        return started < self._excused.get(api, 0)

    async def _repeat(self, action: Callable[[int], Awaitable[None]], pause: float, number: int) -> None:
        while True:
            await action(number)
            await asyncio.sleep(self.random.uniform(0.5, 1.5) * pause)

    async def _write(self, _number: int) -> None:
        title = f"notice {next(self._numbers)}"
        body = {"title": title, "body": "Text", "expiresAt": "2099-01-01T00:00:00Z"}
        response = await self.send("POST", "/notices", json=body)
        if response is not None and response.status_code == 201:
            self.notices.add(title)

    async def _use_session(self, number: int) -> None:
        await self.send("GET", "/auth/user/info", number)

    async def _refresh(self, number: int) -> None:
        """Exchange the refresh token, with the same one until the exchange is confirmed."""
        token = {"X-Refresh-Token": self._sessions[number]["refreshToken"], **AGENT}
        while True:
            response = await self.send("POST", "/auth/token/refresh", headers=token)
            if response is not None and response.status_code == 200:
                self._sessions[number] = response.json()["data"]
                return
            if response is not None and response.status_code == 401:
                self.lost_sessions += 1
                self.problems.append(f"Session {number} was lost: {response.json().get('error')}")
                self._sessions[number] = await Attack(self._clients, 0).tokens("admin", "123456")
                return
            await asyncio.sleep(0.3)

    async def _upload(self, _number: int) -> None:
        content = f"file {next(self._numbers)}".encode()
        body = {"filename": "a.txt", "contentType": "text/plain", "sizeBytes": len(content)}
        begun = await self.send("POST", "/files", json=body)
        if begun is None or begun.status_code != 201:
            return
        file = begun.json()["data"]
        (part,) = file["parts"]
        async with httpx.AsyncClient(timeout=PATIENCE_SECONDS) as storage:
            try:
                stored = await storage.put(part["url"], content=content, headers=part["headers"])
            except httpx.TransportError:
                return
        if stored.status_code != 200:
            return
        parts = {"parts": [{"partNumber": 1, "etag": stored.headers["ETag"]}]}
        done = await self.send("POST", f"/files/{file['id']}/complete", json=parts)
        if done is not None and done.status_code == 200:
            self.files[file["id"]] = content

    async def _chat(self, number: int) -> None:
        """Join, and send lines; the acknowledged ones are remembered."""
        while True:
            with suppress(SocketIOError, TimeoutError, aiohttp.ClientError, OSError):
                await self._chat_until_it_breaks(number)
            await asyncio.sleep(0.5)

    async def _chat_until_it_breaks(self, number: int) -> None:
        received: Counter[str] = Counter()
        client = socketio.AsyncClient(reconnection=False, handle_sigint=False)
        client.on("chat.receive", lambda line: received.update([line["id"]]))
        auth = {"token": self._sessions[number]["accessToken"]}
        try:
            await client.connect(self.random.choice(self.system.urls), auth=auth, transports=["websocket"])
            while True:
                await client.call("chat.join", ROOM, timeout=PATIENCE_SECONDS)
                text = f"line {next(self._numbers)}"
                ack = await client.call("chat.send", {**ROOM, "text": text}, timeout=PATIENCE_SECONDS)
                if "id" in ack:
                    self.lines.add(text)
                elif ack.get("code") not in (4503, 1008):
                    self.problems.append(f"chat.send: {ack}")
                await asyncio.sleep(self.random.uniform(0.1, 0.5))
        finally:
            await client.disconnect()
            if repeated := [line for line, count in received.items() if count > 1]:
                self.problems.append(f"{len(repeated)} chat lines were received twice")
