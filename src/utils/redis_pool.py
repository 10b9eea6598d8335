"""Redis clients for the URLs that `redis_url` describes."""

from typing import Any

import hiredis
import redis
from redis.asyncio import ConnectionPool
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from redis.connection import parse_url
from redis.sentinel import Sentinel as BlockingSentinel
from typing_extensions import override

from src.utils.redis_url import SentinelURL, is_sentinel_url, parse_sentinel_url


def connection_pool(url: str, **options: Any) -> ConnectionPool:
    """Create a pool of connections to a Redis, or to the master behind Sentinels; `options` are redis-py's."""
    pool = _pool(url, options)
    pool.connection_class = type(pool.connection_class.__name__, (_Packing, pool.connection_class), {})
    return pool


def _pool(url: str, options: dict[str, Any]) -> ConnectionPool:
    if not is_sentinel_url(url):
        return ConnectionPool.from_url(url, **options)
    parsed = parse_sentinel_url(url)
    of_master = _options(parsed)
    options_of_sentinels = _sentinel_options(parsed, of_master, options)
    sentinel = Sentinel(parsed.hosts, sentinel_kwargs=options_of_sentinels)  # type: ignore[no-untyped-call]  # redis-py
    return _MasterPool(parsed.master, sentinel, **of_master, **options)  # type: ignore[no-untyped-call]  # redis-py has no types here


def blocking_client(url: str, **options: Any) -> redis.Redis:
    """Create a synchronous client."""
    if not is_sentinel_url(url):
        return redis.Redis.from_url(url, **options)
    parsed = parse_sentinel_url(url)
    of_master = _options(parsed)
    sentinel: Any = BlockingSentinel
    shared = _sentinel_options(parsed, of_master, options)
    client: redis.Redis = sentinel(parsed.hosts, sentinel_kwargs=shared).master_for(
        parsed.master, **of_master, **options
    )
    return client


class _MasterPool(SentinelConnectionPool):
    """redis-py leaves the connections to the Sentinels open."""

    @override
    async def aclose(self) -> None:
        await super().aclose()
        await self.sentinel_manager.aclose()


class _Packing(AbstractConnection):
    """Commands are packed by hiredis, as redis-py's blocking connections do; in Python it takes ten times as long."""

    @override
    def pack_command(self, *args: Any) -> list[bytes]:
        try:
            if " " not in args[0]:
                return [hiredis.pack_command(args)]
        except (TypeError, UnicodeError):
            pass  # redis-py encodes surrogates, or has an error of its own
        return super().pack_command(*args)


def _options(parsed: SentinelURL) -> dict[str, Any]:
    options: dict[str, Any] = {**parse_url(parsed.master_url)}  # type: ignore[no-untyped-call]  # redis-py has no types here
    if options.pop("connection_class", None) is not None:
        options["ssl"] = True
    return options


def _sentinel_options(parsed: SentinelURL, of_master: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
    """TLS, timeouts and retries are those of the connections to the master."""
    shared = {**of_master, **options}.items()
    return {name: value for name, value in shared if name.startswith(("ssl", "socket_", "retry"))} | parsed.login
