"""Starts our programs as forks of a process that has imported the libraries, which takes most of a program's start.

A fork has its own session, settings, arguments and streams, and imports the application itself, as `python -m` does.
Started as a program, this file is that process; its arguments are the descriptor of the socket to serve, and modules to
import in addition.
"""

import atexit
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from threading import Lock
from typing import IO, Any

# Without celery.concurrency and what imports it, which reads the environment on import.
LIBRARIES = (
    *("alembic.command", "alembic.config", "asyncpg", "bcrypt", "beanie", "celery.app.base", "celery.app.task"),
    *("celery.backends.redis", "celery.beat", "celery.schedules", "click", "cronsim", "ephem"),
    *("cryptography.x509", "fastapi", "fastapi_offline", "jwt", "kombu.transport.redis", "minio"),
    *("passlib.context", "passlib.handlers.argon2", "passlib.handlers.bcrypt", "prometheus_client"),
    *("pydantic_settings", "pymongo.asynchronous.database", "redis.asyncio", "socketio", "sqlalchemy.ext.asyncio"),
    *("sqlalchemy.dialects.postgresql.asyncpg", "sqlmodel.ext.asyncio.session", "structlog", "typer", "uuid_utils"),
    *("uvicorn.main", "zxcvbn"),
)
_ROOT = Path(__file__).resolve().parents[2]
_NUMBER = struct.Struct("!i")
_preloaded: list[str] = []


class Fork:
    """A running program; like `subprocess.Popen`, as far as tests need it."""

    def __init__(self, module: Sequence[str], environment: Mapping[str, str], streams: Sequence[int]) -> None:
        """Run a module with its arguments; the streams are the descriptors of its input, output and errors."""
        self.returncode: int | None = None
        self._report, theirs = os.pipe()
        request = json.dumps([list(module), dict(environment)]).encode()
        server, lock = _server()
        with lock:
            socket.send_fds(server, [_NUMBER.pack(len(request))], [*streams, theirs])
            server.sendall(request)
        os.close(theirs)
        self.pid = self._reported()

    def poll(self) -> int | None:
        """The exit code, negative if a signal ended it; None while it runs."""
        if self.returncode is None and select.select([self._report], [], [], 0)[0]:
            self.returncode = os.waitstatus_to_exitcode(self._reported())
            os.close(self._report)
        return self.returncode

    def _reported(self) -> int:
        number: int
        (number,) = _NUMBER.unpack(os.read(self._report, _NUMBER.size))
        return number

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the exit code."""
        if self.returncode is None:
            select.select([self._report], [], [], timeout)
        if (code := self.poll()) is None:
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0)
        return code

    def terminate(self) -> None:
        """Send SIGTERM."""
        os.kill(self.pid, signal.SIGTERM)


def start(
    command: Sequence[str | Path], environment: Mapping[str, str], *, output: IO[Any], errors: IO[Any], stdin: IO[Any]
) -> "Fork | subprocess.Popen[bytes]":
    """Run a command in a session of its own: a fork if it is `python -m`, unless its coverage is measured."""
    python, option, *module = map(str, command)
    is_ours = (python, option) == (sys.executable, "-m") and sys.platform == "linux"
    if is_ours and "COVERAGE_PROCESS_CONFIG" not in environment:
        return Fork(module, environment, (stdin.fileno(), output.fileno(), errors.fileno()))
    return subprocess.Popen(  # noqa: S603 - our own
        command, cwd=_ROOT, env=environment, stdin=stdin, stdout=output, stderr=errors, start_new_session=True
    )


def preload(*modules: str) -> None:
    """Import these modules once for all programs, before the first: they all have the settings of this process."""
    _preloaded.extend(modules)


@cache
def _server() -> tuple[socket.socket, Lock]:
    ours, theirs = socket.socketpair()
    with theirs:
        command = [sys.executable, "-m", "tests.support.fork_server", str(theirs.fileno()), *_preloaded]
        process = subprocess.Popen(  # noqa: S603 - our own
            command, cwd=_ROOT, pass_fds=[theirs.fileno()], start_new_session=True
        )
    atexit.register(process.wait)
    atexit.register(ours.close)
    return ours, Lock()


def _serve(server: socket.socket) -> tuple[list[str], dict[str, str]]:
    """Fork for each request; returns in the fork, with its command and environment."""
    while True:
        header, descriptors, _, _ = socket.recv_fds(server, _NUMBER.size, 4)
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:  # those that have reported
                pass
        if not header:
            sys.exit()
        request = b""
        while missing := _NUMBER.unpack(header)[0] - len(request):
            request += server.recv(missing)
        if os.fork() == 0:
            server.close()
            _become_program(*descriptors)
            command, environment = json.loads(request)
            return command, environment
        _close(descriptors)


def _become_program(*descriptors: int) -> None:
    """Fork again: the child returns, with streams and a session of its own; its parent reports its ID and its end.

    The parent kills it if nobody is left who reads the report.
    """
    *streams, report = descriptors
    if pid := os.fork():
        _close(streams)
        os.write(report, _NUMBER.pack(pid))
        waiting = select.poll()
        waiting.register(os.pidfd_open(pid), select.POLLIN)
        waiting.register(report, 0)  # an error, once its other end is closed
        if any(descriptor == report for descriptor, _ in waiting.poll()):
            with suppress(ProcessLookupError):  # it has no session of its own yet
                os.killpg(pid, signal.SIGKILL)
            os.kill(pid, signal.SIGKILL)
        with suppress(BrokenPipeError):
            os.write(report, _NUMBER.pack(os.waitpid(pid, 0)[1]))
        os._exit(0)
    os.setsid()
    for number, descriptor in enumerate(streams):
        os.dup2(descriptor, number)
    _close(descriptors)


def _close(descriptors: Sequence[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


if __name__ == "__main__":
    for module in (*LIBRARIES, *sys.argv[2:]):
        importlib.import_module(module)
    gc.freeze()
    sys.argv, environment = _serve(socket.socket(fileno=int(sys.argv[1])))
    sys.orig_argv = [sys.executable, "-m", *sys.argv]  # what a worker restarts itself with
    os.environ.clear()
    os.environ.update(environment)
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
