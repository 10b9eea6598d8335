"""Draining: a process that is about to end says so in `/readyz`, and serves until load balancers have noticed."""

import asyncio
import ctypes
import os
import signal
import socket
import struct
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

import structlog

log = structlog.get_logger(__name__)

TURNS, TURN_SECONDS = 10, 0.01
"""How often the loop takes what has arrived before it ends: on a busy machine, a time alone may be a single turn."""
_SO_ATTACH_FILTER = 26
_DROP_ALL = struct.pack("HBBI", 6, 0, 0, 0)  # of BPF: return 0

_draining = False


def is_draining() -> bool:
    """Whether SIGTERM has arrived and the process ends soon."""
    return _draining


@contextmanager
def draining(seconds: float, leave: Callable[[], Awaitable[None]]) -> Iterator[None]:
    """During the block, SIGTERM reaches its earlier handler this much later; a second signal reaches it at once.

    Does nothing for 0 seconds, and outside the main thread, where no handlers run.

    Args:
        seconds: For so long everything is served.
        leave: Awaited at their end.
    """
    global _draining
    terminate = signal.getsignal(signal.SIGTERM)
    if not seconds or threading.current_thread() is not threading.main_thread() or not callable(terminate):
        yield
        return
    loop = asyncio.get_running_loop()
    ending: asyncio.Task[None] | None = None

    def begin() -> None:
        nonlocal ending
        ending = loop.create_task(end())

    async def end() -> None:
        log.info("draining", seconds=seconds)
        await asyncio.sleep(seconds)
        let_connections_wait()
        for _ in range(TURNS):
            await asyncio.sleep(TURN_SECONDS)
        try:
            await leave()
        finally:
            terminate(signal.SIGTERM, None)

    def handle(number: int, frame: FrameType | None) -> None:
        global _draining
        if _draining:
            terminate(number, frame)
            return
        _draining = True
        loop.call_soon_threadsafe(begin)

    signal.signal(signal.SIGTERM, handle)
    try:
        yield
    finally:
        if ending is not None:
            ending.cancel()
        signal.signal(signal.SIGTERM, terminate)
        _draining = False


def let_connections_wait() -> None:
    """Ignore new connections on all sockets that listen; on Linux only.

    A connection that waits to be accepted is reset when its socket closes, and its request is lost. One that is ignored
    is tried again by the client's kernel after a second, and then refused, before anything was sent.
    """
    if sys.platform != "linux":
        return
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(OSError), socket.socket(fileno=os.dup(int(descriptor.name))) as opened:  # most are no sockets
            if opened.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                ignore_connections(opened)


def ignore_connections(listener: socket.socket) -> None:
    """Ignore new connections on a socket; those that exist are not affected."""
    program = ctypes.create_string_buffer(_DROP_ALL)
    listener.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HP", 1, ctypes.addressof(program)))
