"""What runs during a rolling restart, and what it noticed."""

import asyncio
import itertools
import random
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Any, Self
from uuid import uuid4

import aiohttp
import socketio

API = "/api/v1"
SENDERS = 16
PREVIEW = {"kind": "interval", "every": 5, "period": "minutes", "count": 3}
REQUESTS: list[tuple[str, str, Any]] = [
    ("GET", f"{API}/auth/user/info", None),
    ("POST", f"{API}/schedules/preview", PREVIEW),
    ("GET", f"{API}/notices", None),
    ("POST", f"{API}/schedules/preview", PREVIEW),
]
"""Half of them are POST, which no proxy sends twice."""
ROOM = f"chat:{uuid4()}"
EVENT_SECONDS = 0.5
START_SECONDS = 30
SETTLE_SECONDS = 60


class Requests:
    """Requests on connections that are kept, by senders that do not pause."""

    def __init__(self, url: str, token: str) -> None:
        self._url, self._headers = url, {"Authorization": f"Bearer {token}"}
        self._numbers = itertools.count()
        self._failures: Counter[str] = Counter()
        self.may_end = asyncio.Event()

    async def send(self, count: int) -> None:
        """Send at least so many, and until `may_end` is set."""
        started = time.monotonic()
        timeout = aiohttp.ClientTimeout(total=60)
        async with aiohttp.ClientSession(self._url, headers=self._headers, timeout=timeout) as session:
            await asyncio.gather(*(self._send(session, count) for _ in range(SENDERS)))
        sent, seconds = next(self._numbers) - SENDERS, time.monotonic() - started
        print(f"{sent} requests in {seconds:.0f} s, {self._failures.total()} failed", flush=True)

    async def _send(self, session: aiohttp.ClientSession, count: int) -> None:
        while (number := next(self._numbers)) < count or not self.may_end.is_set():
            method, path, body = REQUESTS[number % len(REQUESTS)]
            try:
                async with session.request(method, path, json=body) as response:
                    await response.read()
                    outcome = str(response.status)
            except (aiohttp.ClientError, TimeoutError) as error:
                outcome = repr(error)
            if outcome != "200":
                self._failures[f"{method} {path}: {outcome}"] += 1

    def problems(self) -> list[str]:
        """The requests that failed."""
        return [f"{count} times {what}" for what, count in self._failures.items()]


class Listener:
    """A client with an address of its own that connects again whenever its connection ends, and notes what it receives.

    Each connection is another client of the library: its own reconnection gives up when the server ends a polling one.
    """

    def __init__(self, url: str, transport: str, token: str, address: str) -> None:
        self._url, self._transport, self._token, self._address = url, transport, token, address
        self.pid: str | None = None
        self.offset: str | None = None
        self.received: list[int] = []
        self.connections = 0
        self.new_sessions: list[str] = []
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Connect, and join the room."""
        joined = asyncio.Event()
        self._task = asyncio.create_task(self._stay_connected(joined))
        await asyncio.wait_for(joined.wait(), START_SECONDS)

    async def close(self) -> None:
        """Leave."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _stay_connected(self, joined: asyncio.Event) -> None:
        connector = aiohttp.TCPConnector(local_addr=(self._address, 0), limit=0)
        jar = aiohttp.CookieJar(unsafe=True)  # keeps cookies of an address, too
        async with aiohttp.ClientSession(connector=connector, cookie_jar=jar) as session:
            while True:
                with suppress(socketio.exceptions.SocketIOError, aiohttp.ClientError, TimeoutError):
                    await self._connect(session, joined)
                await asyncio.sleep(random.uniform(0.1, 0.5))  # noqa: S311 - not secret

    async def _connect(self, session: aiohttp.ClientSession, joined: asyncio.Event) -> None:
        """Connect once, and return when the connection has ended."""
        client, ended = _Client(self, http_session=session, handle_sigint=False, reconnection=False), asyncio.Event()
        client.on("disconnect", ended.set)
        client.on("news", self.received.append)
        auth = {"token": self._token, "recover": True, "pid": self.pid, "offset": self.offset}
        try:
            await client.connect(self._url, auth=auth, transports=[self._transport], wait_timeout=START_SECONDS)
            if not joined.is_set():
                await client.call("chat.join", {"room": ROOM.removeprefix("chat:")}, timeout=START_SECONDS)
                joined.set()
            await ended.wait()
        finally:
            await client.eio.disconnect(abort=True)  # it would wait for the response to a poll


class _Client(socketio.AsyncClient):  # type: ignore[misc]  # its base is untyped
    """Notes its private session id and its offset, as the client of docs/sockets.md does."""

    def __init__(self, listener: Listener, **options: Any) -> None:
        super().__init__(**options)
        self._listener = listener

    async def _handle_connect(self, namespace: str, data: dict[str, str]) -> None:
        listener, pid = self._listener, data.get("pid")
        listener.connections += 1
        if pid != listener.pid:
            listener.new_sessions.append(f"{datetime.now(UTC):%H:%M:%S}")
        listener.pid = pid
        await super()._handle_connect(namespace, data)

    async def _handle_event(self, namespace: str, number: int | None, data: list[str]) -> None:
        self._listener.offset = data.pop()
        await super()._handle_event(namespace, number, data)


class Sockets:
    """Clients in one room, to which a number is emitted twice a second."""

    def __init__(self) -> None:
        self._clients: dict[str, list[Listener]] = {"websocket": [], "polling": []}
        self._sent = 0

    @classmethod
    @asynccontextmanager
    async def connected(cls, url: str, token: str, count: int) -> AsyncIterator[Self]:
        """So many clients of each transport, each from another address, and the numbers."""
        sockets = cls()
        for number, (transport, clients) in enumerate(sockets._clients.items(), 1):
            for host in range(1, count + 1):
                clients.append(client := Listener(url, transport, token, f"127.0.{number}.{host}"))
                await client.start()
        emitting = asyncio.create_task(sockets._emit())
        try:
            yield sockets
        finally:
            emitting.cancel()
            everybody = (client.close() for clients in sockets._clients.values() for client in clients)
            await asyncio.gather(emitting, *everybody, return_exceptions=True)

    async def _emit(self) -> None:
        from src.core.config import settings
        from src.core.realtime.event_bus import ReplaySettings
        from src.queues.emitter import RedisEmitter

        replay = ReplaySettings(settings.sockets.recovery_seconds, settings.sockets.recovery_messages)
        async with aclosing(RedisEmitter(settings.REDIS_DATABASE_URL, replay)) as emitter:
            while True:
                await emitter.emit("news", self._sent, room=ROOM)
                self._sent += 1
                await asyncio.sleep(EVENT_SECONDS)

    async def problems(self) -> list[str]:
        """What clients missed, got twice, or got in another order."""
        last = self._sent
        everybody = [client for clients in self._clients.values() for client in clients]
        for _ in range(SETTLE_SECONDS):
            if all(len(client.received) >= last for client in everybody):
                break
            await asyncio.sleep(1)
        problems = []
        for transport, clients in self._clients.items():
            returns = sum(client.connections - 1 for client in clients)
            lost = [client for client in clients if client.received[:last] != list(range(last))]
            print(
                f"{len(clients)} {transport} clients: {last} events each, connected again {returns} times", flush=True
            )
            if lost:
                missed = sum(len(set(range(last)) - set(client.received)) for client in lost)
                new = sorted(time for client in clients for time in client.new_sessions[1:])
                problems.append(f"{len(lost)} {transport} clients missed {missed} events; new sessions at {new}")
        return problems


class Tasks:
    """Tasks that note their start and their end."""

    def __init__(self) -> None:
        self.key = f"rollout:{uuid4()}"
        self._sent = 0

    @classmethod
    @asynccontextmanager
    async def sending(cls, queue: str, count: int) -> AsyncIterator[Self]:
        """Send so many tasks, fifty a second."""
        tasks = cls()
        sending = asyncio.create_task(tasks._send(queue, count))
        try:
            yield tasks
        finally:
            sending.cancel()

    async def _send(self, queue: str, count: int) -> None:
        from tests.queues import sample

        for number in range(count):
            await asyncio.to_thread(sample.work.apply_async, (self.key, str(number)), queue=queue)
            self._sent += 1
            await asyncio.sleep(0.02)

    async def problems(self) -> list[str]:
        """The tasks that did not run, or ran twice."""
        from redis import Redis

        from src.core.config import settings

        sent = self._sent
        with Redis.from_url(settings.REDIS_DATABASE_URL, decode_responses=True) as redis:
            for _ in range(SETTLE_SECONDS):
                if redis.llen(self.key) >= sent:
                    break
                await asyncio.sleep(1)
            started = Counter(redis.lrange(f"{self.key}:started", 0, -1))
            ended = Counter(redis.lrange(self.key, 0, -1))
        print(f"{sent} tasks sent", flush=True)
        missing = [number for number in map(str, range(sent)) if not ended[number]]
        repeated = [number for number, count in started.items() if count > 1]
        problems = [f"{len(missing)} tasks did not run: {missing[:5]}"] if missing else []
        return problems + ([f"{len(repeated)} tasks ran more than once: {repeated[:5]}"] if repeated else [])
