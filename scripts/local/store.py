from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from scripts.local.children import Children
from scripts.local.credentials import Credentials
from scripts.local.log import Log
from scripts.local.process import Process

STORE_PATIENCE_SECONDS = 1.5
"""How long a server may take to stop. Killing it is safe: each of them recovers what was committed."""


class Store(ABC):
    """One embedded server on its own directory and port."""

    name: ClassVar[str]
    key: ClassVar[str]
    """The name of its attribute of `Ports` and `Credentials`, and of its directory."""
    settings: ClassVar[tuple[str, ...]]
    """Settings that name a server of the user's own."""

    def __init__(self, data: Path, port: int, credentials: Credentials, configured: Mapping[str, str]) -> None:
        """Find the server's program.

        Args:
            data: The data directory of all stores.
            port: The port that it listens on.
            credentials: The generated secrets of all stores.
            configured: The user's settings.

        Raises:
            LocalError: It is not installed.
        """
        self.directory = data / self.key
        self.log = Log(data / "log" / f"{self.key}.log")
        self.port = port
        self.password: str = getattr(credentials, self.key)

    @classmethod
    def is_configured(cls, environment: Mapping[str, str]) -> bool:
        """Whether the settings name a server of the user's own."""
        return any(environment.get(name) for name in cls.settings)

    @abstractmethod
    def launch(self, children: Children) -> Process:
        """Start the server; at the first start, create its data directory before."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Whether it answers a query."""

    @property
    @abstractmethod
    def environment(self) -> dict[str, str]:
        """The settings that lead the application to this server."""
