"""Starts our programs as forks of a process that has imported what they import, which takes most of a program's start.

A fork has its own session, settings, arguments and streams. What reads settings on import, such as `src.main`, it
imports itself, as `python -m` does. Started as a program, this file is the process that forks; its arguments are the
descriptor of the socket to serve, and modules to import with the settings of this process.
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
from tempfile import TemporaryFile
from threading import Lock
from types import ModuleType, SimpleNamespace
from typing import IO, Any
from unittest.mock import patch

# What programs of the application import whatever their settings are.
APPLICATION = (
    *("src.api.access", "src.api.asyncapi", "src.api.docs", "src.api.document_info", "src.api.health"),
    *("src.api.openapi", "src.api.v1.factors", "src.api.v1.passkeys", "src.api.v1.router", "src.api.v1.user_factors"),
    *("src.console.serving", "src.core.injection.http", "src.core.outages", "src.core.preflight"),
    *("src.core.routing.index", "src.core.shutdown.draining", "src.core.shutdown.listeners"),
    *("src.core.stores.document_migrations", "src.middlewares.errors", "src.middlewares.request", "src.models"),
    *("src.queues.broker.consumer", "src.queues.broker.transport", "src.queues.pool", "src.queues.publisher"),
    *("src.queues.results.recorded_task", "src.queues.scheduler", "src.services.permission_code"),
    *("src.services.process_reporter", "src.services.shared_metrics", "src.websockets.app", "src.websockets.emitter"),
)
# What they import later.
LIBRARIES = (
    *("aiosmtplib", "alembic.command", "alembic.config", "authlib.integrations.httpx_client", "authlib.oidc.core"),
    *("authlib.oidc.discovery", "celery.app.control", "celery.app.events", "celery.apps.beat", "celery.apps.worker"),
    *("celery.backends.redis", "celery.bin.celery", "celery.concurrency.prefork", "celery.worker.autoscale"),
    *("celery.worker.components", "cryptography.hazmat.primitives.ciphers.aead", "fastapi_offline", "jinja2"),
    *("joserfc.jwt", "minio", "pyotp", "segno", "starlette.middleware.cors", "typer", "uvicorn.loops.auto"),
    *("uvicorn.main", "uvicorn.protocols.http.httptools_impl", "uvicorn.protocols.websockets.auto", "webauthn"),
    *("zxcvbn",),
)
_ROOT = Path(__file__).resolve().parents[2]
_NUMBER = struct.Struct("!i")
_preloaded: list[str] = []


class Fork:
    """A running program; like `subprocess.Popen`, as far as tests need it."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], streams: Sequence[int]) -> None:
        """Run what follows `python`: `-m` or `-c`, and arguments; the streams are its input, output and errors."""
        self.returncode: int | None = None
        self._report, theirs = os.pipe()
        request = json.dumps([list(command), dict(environment)]).encode()
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

    def send_signal(self, number: int) -> None:
        """Send a signal."""
        os.kill(self.pid, number)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.send_signal(signal.SIGTERM)


def start(
    command: Sequence[str | Path], environment: Mapping[str, str], *, output: IO[Any], errors: IO[Any], stdin: IO[Any]
) -> "Fork | subprocess.Popen[bytes]":
    """Run a command in a session of its own: a fork if it is `python -m` or `-c`, unless its coverage is measured."""
    python, *arguments = map(str, command)
    is_ours = python == sys.executable and arguments[0] in ("-m", "-c") and sys.platform == "linux"
    if is_ours and "COVERAGE_PROCESS_CONFIG" not in environment:
        return Fork(arguments, environment, (stdin.fileno(), output.fileno(), errors.fileno()))
    return subprocess.Popen(  # noqa: S603 - our own
        command, cwd=_ROOT, env=environment, stdin=stdin, stdout=output, stderr=errors, start_new_session=True
    )


def run_python(
    *arguments: str, environment: Mapping[str, str] | None = None, stdin: str = ""
) -> "subprocess.CompletedProcess[str]":
    """Run `python -m …` or `python -c …` to its end, by default with the environment of this process."""
    command, variables = [sys.executable, *arguments], os.environ if environment is None else environment
    with TemporaryFile("w+") as given, TemporaryFile("w+") as output, TemporaryFile("w+") as errors:
        given.write(stdin)
        given.seek(0)
        code = start(command, variables, output=output, errors=errors, stdin=given).wait()
        output.seek(0)
        errors.seek(0)
        return subprocess.CompletedProcess(command, code, output.read(), errors.read())


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
    """Fork again: the child returns, with streams and a session of its own, once it has reported its ID.

    Its parent reports its end, and kills it if nobody is left who reads the report.
    """
    *streams, report = descriptors
    if pid := os.fork():
        _close(streams)
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
    os.write(report, _NUMBER.pack(os.getpid()))
    _close(descriptors)


def _close(descriptors: Sequence[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def _import_application() -> None:
    """Import the application. Settings have no value until a fork imports `src.core.config`, which reads its own.

    A module that reads one on import ends this process: it must not be in `APPLICATION`.
    """
    with patch.dict(os.environ, {"ENVIRONMENT": "TESTING"}, clear=True):
        from src.core.config import Settings, settings
        from src.core.config.app import Environment

    def read(name: str) -> Settings:
        if name != "settings":
            raise AttributeError(name)
        vars(settings).update(vars(Settings.load()))
        return settings

    vars(settings).clear()
    settings.app = SimpleNamespace(environment=Environment.TESTING)  # type: ignore[assignment]  # schemas read it
    for module in APPLICATION:
        importlib.import_module(module)
    vars(settings).clear()
    names = vars(sys.modules[Settings.__module__])
    del names["settings"], sys.modules["src.core.config"]
    names["__getattr__"] = read


class _Kept:
    """Stands for a module in `sys.modules`, which a program clears at its end only of what is a module."""

    def __init__(self, module: ModuleType) -> None:
        self._module = module

    def __getattr__(self, name: str) -> object:
        return getattr(self._module, name)


def _keep_modules(imported: Mapping[str, ModuleType]) -> None:
    """At its end, a fork frees only modules of its own: to free the others would first copy them, which takes 0.1 s."""
    kept: dict[str, Any] = {name: _Kept(module) for name, module in imported.items()}
    kept[""] = kept  # a cycle, so that `gc.freeze` keeps it for ever

    def replace() -> None:
        sys.modules.update({name: kept[name] for name, module in imported.items() if sys.modules.get(name) is module})

    atexit.register(replace)


if __name__ == "__main__":
    os.environ["CELERY_CUSTOM_WORKER_POOL"] = "src.queues.pool:AsyncIOPool"  # Celery reads it on import
    gc.disable()  # imports leave no garbage
    for module in (*LIBRARIES, *sys.argv[2:]):
        importlib.import_module(module)
    if not sys.argv[2:]:
        _import_application()
    _keep_modules({name: module for name, module in sys.modules.items() if name not in ("__main__", "builtins", "sys")})
    gc.freeze()
    gc.enable()
    (option, program, *arguments), environment = _serve(socket.socket(fileno=int(sys.argv[1])))
    sys.argv = [program if option == "-m" else option, *arguments]
    sys.orig_argv = [sys.executable, option, program, *arguments]  # what a worker restarts itself with
    os.environ.clear()
    os.environ.update(environment)
    if option == "-m":
        runpy.run_module(program, run_name="__main__", alter_sys=True)
    else:
        exec(program, {"__name__": "__main__"})  # noqa: S102 - what `python -c` does
