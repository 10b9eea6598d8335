"""Stops accepting connections, so that none is lost when uvicorn closes its listening sockets.

The kernel completes connections before the process accepts them, and clients send requests at once. Connections that
still wait when the last process closes the socket are reset, with their requests; a proxy must not repeat a POST.
"""

import asyncio
import ctypes
import os
import signal
import socket
import struct
import sys
from contextlib import suppress
from pathlib import Path

import structlog
from uvicorn import Server

log = structlog.get_logger(__name__)

TURNS, TURN_SECONDS = 10, 0.01
"""How often the loop reads what has arrived: on a busy machine, a time alone may be a single turn."""
_SO_ATTACH_FILTER = 26
# BPF instructions (code, jump if true, jump if false, operand) on the TCP header, whose byte 13 contains the flags.
_DROP_SYN = b"".join(
    struct.pack("HBBI", *instruction)
    for instruction in (
        (0x30, 0, 0, 13),  # load the flags
        (0x45, 0, 1, 0x02),  # SYN, which begins a connection?
        (0x06, 0, 0, 0),  # then drop the packet
        (0x06, 0, 0, 0xFFFFFFFF),  # else keep it
    )
)


def running_server() -> Server | None:
    """The uvicorn server that runs this process; None in another program, or if its handler of SIGTERM was replaced."""
    owner = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    return owner if isinstance(owner, Server) else None


async def stop_accepting(server: Server | None) -> None:
    """Accept no new connections, and read what was sent on those that exist.

    Sockets that belong to this process alone ignore new connections until uvicorn closes them. The client's kernel
    tries again after a second and is refused; nothing was sent, so a proxy goes to another process. Sockets that other
    processes have as well (`--workers`, `--fd`, gunicorn) must not ignore any: this process closes its copy.
    """
    if server is None:
        return
    for each in server.servers:
        is_shared = server.config.fd is not None or any(map(has_another_process, each.sockets))
        log.info("stopped_accepting", is_shared=is_shared)
        if is_shared:
            each.close()
        else:
            for listener in each.sockets:
                ignore_new_connections(listener)
    for _ in range(TURNS):
        await asyncio.sleep(TURN_SECONDS)


def has_another_process(listener: socket.socket) -> bool:
    """Whether a process that this one may look into has the same socket; only Linux tells."""
    wanted = f"socket:[{os.fstat(listener.fileno()).st_ino}]"
    for descriptor in Path("/proc").glob("[0-9]*/fd/*"):
        if int(descriptor.parts[2]) != os.getpid():
            with suppress(OSError):  # it has ended meanwhile, or belongs to somebody else
                if descriptor.readlink().name == wanted:
                    return True
    return False


def ignore_new_connections(listener: socket.socket) -> None:
    """Drop requests for new connections, as far as the system can: Linux does, others have no such filter."""
    if sys.platform == "linux":
        program = ctypes.create_string_buffer(_DROP_SYN)
        instructions = len(_DROP_SYN) // 8
        with suppress(OSError):  # a sandbox such as gVisor has no filters
            listener.setsockopt(
                socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HP", instructions, ctypes.addressof(program))
            )
