"""The data directory of the embedded stores; a lock admits one supervisor at a time."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scripts.local.account import unprivileged_account
from scripts.local.errors import LocalError


@contextmanager
def locked(directory: Path, owner: str) -> Iterator[None]:
    """Create the directory if it is missing, and hold its lock; the kernel releases it when the process ends.

    Args:
        directory: Closed to others; as root, PostgreSQL's user may pass through it.
        owner: What a second start shows of us, after our pid.

    Raises:
        LocalError: Somebody else holds the lock, or owns the directory.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if (owner_id := directory.stat().st_uid) != os.geteuid():
        raise LocalError(f"{directory} belongs to user {owner_id}: start as that user, or remove it.")
    if account := unprivileged_account():
        os.chown(directory, -1, account.gid)
    directory.chmod(0o710 if account else 0o700)
    with open(directory / "lock", "a+", opener=_private) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise LocalError(f"Already running on {directory}: {file.read()}.") from None
        file.truncate(0)
        file.write(f"process {os.getpid()}, {owner}")
        file.flush()
        yield


def is_locked(directory: Path) -> bool:
    """Whether a supervisor is running on the directory."""
    try:
        with (directory / "lock").open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def write_private(path: Path, text: str) -> None:
    """Write a file atomically; only its owner may read it."""
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    with open(new, "w", opener=_private) as file:
        file.write(text)
        os.fsync(file.fileno())
    new.replace(path)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
