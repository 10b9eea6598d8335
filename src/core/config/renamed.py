"""Old names of settings. They are refused: a setting that is silently ignored is worse than a process that stops."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from dotenv import dotenv_values

from src.core.config.base import ConfigurationError

# Old name: new name. An entry may go once no deployment can have the old name.
RENAMED: dict[str, str] = {
    "SOCKETIO_STRANGERS": "SOCKETIO_UNAUTHENTICATED_CONNECTIONS",
    "SOCKETIO_STRIKES": "SOCKETIO_VIOLATIONS",
}


def check_renamed(env_files: Iterable[Path]) -> None:
    """Refuse old names in the environment and in the dotenv files.

    Raises:
        ConfigurationError: With each old name and its new one, in one line.
    """
    sources: tuple[Mapping[str, str | None], ...] = (os.environ, *map(dotenv_values, env_files))
    names = {name.upper() for source in sources for name, value in source.items() if value}
    old = sorted(names & RENAMED.keys())
    if old:
        raise ConfigurationError("; ".join(f"{name} is now {RENAMED[name]}" for name in old) + ".")
