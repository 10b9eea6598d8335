"""A rolling restart, twice, of two API processes behind nginx and of two workers; exits 1 if anybody noticed.

python -m scripts.check.rollout [--requests 50000] [--clients 50] [--tasks 3000] [--drain-seconds 5]

Requests, Socket.IO clients (as many on websockets as on polling) and tasks run meanwhile. No request may fail, each
client receives all events, once and in order, and each task runs once. nginx is Debian's package, or what
`NGINX_PROGRAM` names; stores and processes are its own.
"""

import argparse
import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx

from scripts.bench.servers import ROOT
from scripts.check.instance import prepared
from scripts.check.login_attacks import Attack
from scripts.check.nginx import find_nginx, nginx
from scripts.check.rollout_load import Requests, Sockets, Tasks
from scripts.local.applications import ASYNCIO, POOL, WEB_LIMITS, answers
from scripts.local.ports import LOOPBACK, Ports

ROUNDS = 2
START_SECONDS = 240
STOP_SECONDS = 60
SETTLE_SECONDS = 3
"""Between two restarts: nginx leaves out a process that refused connections for two seconds."""
QUEUE = "rollout"
CELERY = ["celery", "-A", "tests.queues.sample", "worker", "-l", "info", "-Q", QUEUE, "--without-mingle"]
WORKERS = {"worker-asyncio": ASYNCIO, "worker-prefork": ("-c", "2", "--without-gossip")}


class Processes:
    """API processes and workers by name, each restarted by SIGTERM."""

    def __init__(self, environment: dict[str, str], ports: Sequence[int], logs: Path) -> None:
        self._environment = environment | POOL | {"SAMPLE_QUEUE": QUEUE, "SAMPLE_VISIBILITY_TIMEOUT": "1800"}
        self._logs = logs
        self._ports = {f"api-{number}": port for number, port in enumerate(ports, 1)}
        serve = ["uvicorn", "src.main:app", "--timeout-graceful-shutdown", "20", *WEB_LIMITS]
        self._commands = {name: [*serve, "--port", str(port)] for name, port in self._ports.items()}
        self._commands |= {name: [*CELERY, "-n", f"{name}@check", *pool] for name, pool in WORKERS.items()}
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str) -> None:
        """Start a process, and wait until it serves.

        Raises:
            RuntimeError: It does not.
        """
        log = self._logs / f"{name}.log"
        with log.open("ab") as output:
            seen = output.tell()
            command = [sys.executable, "-m", *self._commands[name]]
            self._running[name] = subprocess.Popen(  # noqa: S603 - our own
                command, cwd=ROOT, env=self._environment, stdout=output, stderr=subprocess.STDOUT
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._serves(name, log, seen):
            if self._running[name].poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{name} does not serve; see {log}")
            time.sleep(0.1)

    async def start_all(self) -> None:
        """Start all at once."""
        await asyncio.gather(*(asyncio.to_thread(self.start, name) for name in self._commands))

    async def restart(self, name: str) -> None:
        """Stop a process with SIGTERM, and start another once it has ended."""
        started = time.monotonic()
        code = await asyncio.to_thread(self._stop, name)
        stopped = time.monotonic()
        await asyncio.to_thread(self.start, name)
        seconds = time.monotonic() - stopped
        print(f"{name}: ended with {code} after {stopped - started:.1f} s, served {seconds:.1f} s later", flush=True)

    async def roll(self) -> None:
        """Restart the API processes one after the other, and the workers beside them."""
        for _ in range(ROUNDS):
            for pair in zip(self._ports, WORKERS, strict=True):
                await asyncio.gather(*(self.restart(name) for name in pair))
                await asyncio.sleep(SETTLE_SECONDS)

    def stop_all(self) -> None:
        """Stop all."""
        for process in self._running.values():
            process.terminate()
        for name in self._running:
            self._stop(name)

    def _serves(self, name: str, log: Path, seen: int) -> bool:
        if name in self._ports:
            return answers(LOOPBACK, self._ports[name], "/readyz")
        return b"ready." in log.read_bytes()[seen:]

    def _stop(self, name: str) -> int:
        self._running[name].send_signal(signal.SIGTERM)
        try:
            return self._running[name].wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._running[name].kill()
            return self._running[name].wait()


@asynccontextmanager
async def running(program: str, drain_seconds: float) -> AsyncIterator[tuple[Processes, str]]:
    """All processes, and the address of nginx; logs stay in a directory that is printed."""
    logs = Path(tempfile.mkdtemp(prefix="rollout-"))
    print(f"Logs in {logs}", flush=True)
    settings = {"RATE_LIMIT_FACTOR": "0", "DRAIN_SECONDS": str(drain_seconds), "FORWARDED_ALLOW_IPS": LOOPBACK}
    settings["REDIS_TIMEOUT_SECONDS"] = "5"  # a busy machine is no outage, during which no session is recovered
    async with AsyncExitStack() as stack:
        environment = stack.enter_context(prepared(**settings))
        os.environ.update(environment)
        free = Ports.free()
        front, *ports = free.postgresql, free.redis, free.mongodb
        processes = Processes(environment, ports, logs)
        stack.callback(processes.stop_all)
        await processes.start_all()
        stack.enter_context(nginx(program, logs, front, (ports[0], ports[1])))
        yield processes, f"http://{LOOPBACK}:{front}"


async def check(options: argparse.Namespace, program: str) -> list[str]:
    """Restart under load, and return what was noticed."""
    async with running(program, options.drain_seconds) as (processes, url):
        async with httpx.AsyncClient(base_url=url, timeout=30) as client:
            token = (await Attack([client], 0).tokens("admin", "123456"))["accessToken"]
        requests = Requests(url, token)
        async with (
            Sockets.connected(url, token, options.clients) as sockets,
            Tasks.sending(QUEUE, options.tasks) as tasks,
        ):
            load = asyncio.create_task(requests.send(options.requests))
            await processes.roll()
            requests.may_end.set()
            await load
            return [*requests.problems(), *await sockets.problems(), *await tasks.problems()]


def main() -> None:
    """Check, and print what was noticed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=50_000, help="at least so many")
    parser.add_argument("--clients", type=int, default=50, help="on websockets, and as many on polling")
    parser.add_argument("--tasks", type=int, default=3_000)
    parser.add_argument("--drain-seconds", type=float, default=5)
    options = parser.parse_args()
    program = find_nginx()
    if program is None:
        sys.exit("nginx is needed: install your system's package, or name the program in NGINX_PROGRAM.")
    problems = asyncio.run(check(options, program))
    print(*(problems or ["Nobody noticed."]), sep="\n")
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
