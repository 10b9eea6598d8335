"""The ports: the API's, and the four after it for the stores.

PORT      API                PORT + 1  PostgreSQL        PORT + 2  Redis
                             PORT + 3  MongoDB           PORT + 4  S3
                             PORT + 5  mails, if it is free
"""

import random
import socket
from dataclasses import dataclass
from typing import Self

from scripts.local.errors import LocalError

DEFAULT_PORT = "16000"
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Ports:
    """One port per store, all on the loopback address."""

    postgresql: int
    redis: int
    mongodb: int
    s3: int

    @classmethod
    def after(cls, port: int) -> Self:
        """The four ports after the API's."""
        return cls(*range(port + 1, port + 5))

    @classmethod
    def free(cls) -> Self:
        """Free ports below 32768: the kernel uses those above for outgoing connections."""
        candidates = random.sample(range(20_000, 32_768), k=200)
        return cls(*[port for port in candidates if not is_busy(LOOPBACK, port)][:4])


def mail_port(port: int) -> int:
    """Where the mail server for development listens: on the port after the stores, or on another if that is busy."""
    wanted = port + 5
    return wanted if wanted <= 65_535 and not is_busy(LOOPBACK, wanted) else Ports.free().s3


def parse_port(text: str) -> int:
    """The API's port.

    Raises:
        LocalError: It is no number, or leaves no room for the stores.
    """
    if not (text.isdecimal() and 0 < int(text) <= 65_535 - 4):
        raise LocalError(f"PORT must be a number from 1 to {65_535 - 4}, not {text!r}.")
    return int(text)


def is_busy(host: str, port: int) -> bool:
    """Whether the port is in use."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # ignore connections that have ended
        try:
            probe.bind((host, port))
        except OSError:
            return True
    return False


def require_free(host: str, port: int, name: str) -> None:
    """Check that a port is free.

    Raises:
        LocalError: Naming the port and the setting that moves it.
    """
    if is_busy(host, port):
        raise LocalError(
            f"Port {port} ({name}) is in use. Set PORT: the API listens there, its stores on the four ports after it."
        )
