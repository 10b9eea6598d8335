from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from scripts.local.children import Children
from scripts.local.credentials import Credentials
from scripts.local.log import Log


class Store(ABC):
    """One embedded server on its own directory and port."""

    name: ClassVar[str]
    key: ClassVar[str]
    """Its attribute of `Ports` and `Credentials`, and its directory."""
    settings: ClassVar[tuple[str, ...]]
    """Any of these in the environment names a server of the user's own."""

    def __init__(self, data: Path, port: int, credentials: Credentials, configured: Mapping[str, str]) -> None:
        """Find the server's program.

        Args:
            data: The data directory of all stores.
            port: Where it listens.
            credentials: The secrets that were made up for it.
            configured: The user's settings, some of which may concern it.

        Raises:
            LocalError: It is not installed.
        """
        self.directory = data / self.key
        self.log = Log(data / "log" / f"{self.key}.log")
        self.port = port
        self.password: str = getattr(credentials, self.key)

    @classmethod
    def is_configured(cls, environment: Mapping[str, str]) -> bool:
        """Whether the user brings this store."""
        return any(environment.get(name) for name in cls.settings)

    @abstractmethod
    def launch(self, children: Children) -> None:
        """Prepare the directory at the first start, and start the server."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Whether it answers a real query."""

    @property
    @abstractmethod
    def environment(self) -> dict[str, str]:
        """The settings that lead the application here."""
