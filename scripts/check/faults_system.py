"""Stores behind proxies, two API processes, a worker and a beat, which can be killed, paused and measured."""

import asyncio
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import httpx
import psutil

from scripts.bench.servers import ROOT
from scripts.check.instance import prepared
from scripts.local.applications import ALONE, ASYNCIO, POOL, SCHEDULER, WEB_LIMITS
from scripts.local.ports import Ports
from tests.support.proxy import Proxy, proxied
from tests.support.waiting import eventually

STORES = {
    "postgres": "SQL_DATABASE_URL",
    "redis": "REDIS_DATABASE_URL",
    "mongo": "MONGO_DATABASE_URL",
    "s3": "MINIO_ENDPOINT",
}
SETTINGS = {"RATE_LIMIT_FACTOR": "0", "LOG_LEVEL": "WARNING", "PYTHONUNBUFFERED": "1", **POOL}
CELERY = ["celery", "-A", "scripts.check.faults_worker"]
MEASURE_SECONDS = 5
START_SECONDS = 180
STOP_SECONDS = 30


class System:
    """The processes by name, and the proxies by store.

    Attributes:
        direct: The environment of the stores without proxies, for looking at the outcome.
        urls: The addresses of the API processes.
        disturbances: When there was a fault, and when a killed process started: the begin and the end, in Unix time.
    """

    def __init__(self, direct: dict[str, str], proxies: dict[str, Proxy], ways: dict[str, str], logs: Path) -> None:
        self.direct, self.proxies, self.logs = direct, proxies, logs
        self._environment = direct | ways
        free = Ports.free()
        ports = free.postgresql, free.redis
        self.urls = [f"http://127.0.0.1:{port}" for port in ports]
        self._commands: dict[str, Sequence[str]] = {
            f"api-{number}": ["uvicorn", "src.main:app", "--port", str(port), *WEB_LIMITS]
            for number, port in enumerate(ports, 1)
        }
        self._commands |= {
            "worker": [*CELERY, "worker", *ASYNCIO, *ALONE, "-l", "warning"],
            "beat": [*CELERY, "beat", "-S", SCHEDULER, "-l", "warning"],
        }
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.disturbances: list[tuple[float, float]] = []
        self._starting: set[asyncio.Task[None]] = set()
        self._memory: dict[tuple[str, int], list[tuple[float, float]]] = defaultdict(list)

    async def start(self) -> None:
        """Start all processes, and wait for the API."""
        for name in self._commands:
            self._start(name)
        for name in ("api-1", "api-2"):
            await self._wait_for(name)

    async def kill(self, name: str) -> None:
        """Kill a process with SIGKILL, and start it again; does not wait for a worker or beat."""
        self.processes[name].kill()
        await asyncio.to_thread(self.processes[name].wait)
        self._start(name)
        if name.startswith("api"):
            await self._wait_for(name)
        else:
            task = asyncio.create_task(self._record_start(name))
            self._starting.add(task)
            task.add_done_callback(self._starting.discard)

    async def _record_start(self, name: str) -> None:
        """Record the time until a worker or beat writes its banner: seconds on a busy machine."""
        started, log = time.time(), self.logs / f"{name}.log"
        before = log.stat().st_size
        with suppress(AssertionError):  # it was killed again
            await eventually(lambda: log.stat().st_size > before, START_SECONDS)
        self.disturbances.append((started, time.time()))

    async def pause(self, name: str, seconds: float) -> None:
        """Stop a process with SIGSTOP, and let it continue."""
        self.processes[name].send_signal(signal.SIGSTOP)
        await asyncio.sleep(seconds)
        self.processes[name].send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """Stop all processes, and kill those that do not end."""
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    async def measure_memory(self) -> None:
        """Record the memory of each process until this is cancelled."""
        while True:
            for name, process in self.processes.items():
                if process.poll() is None:
                    used = psutil.Process(process.pid).memory_info().rss / 1024**2
                    self._memory[name, process.pid].append((time.monotonic(), used))
            await asyncio.sleep(MEASURE_SECONDS)

    def memory(self) -> str:
        """The memory of each process as last measured, in MiB."""
        latest = {name: points[-1][1] for (name, _), points in self._memory.items()}
        return ", ".join(f"{name} {used:.1f}" for name, used in latest.items())

    def memory_slopes(self, warm_up_seconds: float) -> dict[str, float]:
        """MiB per minute of the processes that lived long enough, by the least squares, after the warm-up."""
        slopes = {}
        for (name, pid), points in self._memory.items():
            later = [(at, used) for at, used in points if at - points[0][0] > warm_up_seconds]
            if len(later) > 60 / MEASURE_SECONDS:
                slopes[f"{name} ({pid})"] = 60 * _slope(later)
        return slopes

    def _start(self, name: str) -> None:
        with (self.logs / f"{name}.log").open("ab") as log:
            command = [sys.executable, "-m", *self._commands[name]]
            self.processes[name] = subprocess.Popen(  # noqa: S603 - our own
                command, cwd=ROOT, env=self._environment, stdout=log, stderr=subprocess.STDOUT
            )

    async def _wait_for(self, name: str) -> None:
        url, deadline = self.urls[int(name[-1]) - 1], time.monotonic() + START_SECONDS
        async with httpx.AsyncClient(base_url=url, timeout=2) as client:
            while True:
                try:
                    await client.get("/livez")
                except httpx.TransportError:
                    if time.monotonic() > deadline:
                        raise
                    await asyncio.sleep(0.1)
                else:
                    return


@asynccontextmanager
async def running_system() -> AsyncIterator[System]:
    """All of it, stopped at the end; the logs stay in a directory that is printed."""
    logs = Path(tempfile.mkdtemp(prefix="faults-"))
    print(f"Logs in {logs}", flush=True)
    async with AsyncExitStack() as stack:
        direct = stack.enter_context(prepared(**SETTINGS))
        found = {store: await stack.enter_async_context(proxied(direct[name])) for store, name in STORES.items()}
        ways = {STORES[store]: url for store, (url, _) in found.items()}
        system = System(direct, {store: proxy for store, (_, proxy) in found.items()}, ways, logs)
        stack.callback(system.stop)
        await system.start()
        yield system


def _slope(points: Sequence[tuple[float, float]]) -> float:
    times, values = zip(*points, strict=True)
    mean_time, mean_value = sum(times) / len(times), sum(values) / len(values)
    spread = sum((at - mean_time) ** 2 for at in times)
    return float(sum((at - mean_time) * (value - mean_value) for at, value in points) / spread)
