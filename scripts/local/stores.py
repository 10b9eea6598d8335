from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from os import environ
from pathlib import Path

from scripts.local.children import Children
from scripts.local.credentials import Credentials, rsa_private_key
from scripts.local.directory import locked
from scripts.local.mongodb import MongoDB
from scripts.local.patience import wait_until
from scripts.local.ports import LOOPBACK, Ports, require_free
from scripts.local.postgresql import PostgreSQL
from scripts.local.redis import Redis
from scripts.local.s3 import S3
from scripts.local.store import Store

STORES: tuple[type[Store], ...] = (PostgreSQL, Redis, S3, MongoDB)


def needed_stores(configured: Mapping[str, str]) -> list[type[Store]]:
    """The stores that the settings do not name."""
    return [store for store in STORES if not store.is_configured(configured)]


def start_stores(directory: Path, ports: Ports, configured: Mapping[str, str], children: Children) -> dict[str, str]:
    """Start what is needed, all at once, and wait until each answers.

    Args:
        directory: The data directory, locked by the caller.
        ports: Where they listen.
        configured: The user's settings: their stores are not started, and their keys not replaced.
        children: Where the servers are started.

    Returns:
        The environment variables that lead the application to the stores, and its keys.

    Raises:
        LocalError: A package is missing, a port is busy, or a server ended or makes no progress.
    """
    stores = _stores(directory, ports, configured)
    for store in stores:
        require_free(LOOPBACK, store.port, store.name)
    servers = [store.launch(children) for store in stores]
    variables = stores_environment(directory, ports, configured)
    for store, server in zip(stores, servers, strict=True):
        wait_until(store.is_ready, server, children)
    return variables


def stores_environment(directory: Path, ports: Ports, configured: Mapping[str, str]) -> dict[str, str]:
    """The environment variables of `start_stores`, whether the stores run yet or not."""
    credentials = Credentials.load(directory)
    keys = {
        "ACCESS_TOKEN_KEY": credentials.access_token,
        "REFRESH_TOKEN_KEY": credentials.refresh_token,
        "FACTOR_KEY": credentials.factors,
        "RSA_PRIVATE_KEY": str(rsa_private_key(directory)),
    }
    variables = {name: value for name, value in keys.items() if not configured.get(name)}
    for store in _stores(directory, ports, configured):
        variables |= store.environment
    return variables


def _stores(directory: Path, ports: Ports, configured: Mapping[str, str]) -> list[Store]:
    credentials = Credentials.load(directory)
    return [kind(directory, getattr(ports, kind.key), credentials, configured) for kind in needed_stores(configured)]


@contextmanager
def embedded_stores(directory: Path, ports: Ports | None = None) -> Iterator[dict[str, str]]:
    """Run the stores that the environment does not configure, for as long as the context lasts.

    Call it from the main thread: the servers stop with the thread that started them.

    Args:
        directory: The data directory; root should choose one that other users can pass to, such as below /tmp.
        ports: Free ones when None.

    Yields:
        The environment variables to set.
    """
    with locked(directory, "an embedded session"):
        children = Children(directory)
        try:
            yield start_stores(directory, ports or Ports.free(), environ, children)
        finally:
            children.stop()
