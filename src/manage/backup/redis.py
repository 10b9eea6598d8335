import json
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from redis.asyncio import Redis

from src.core.resources import Resources
from src.utils.redis_pool import connection_pool

LOGINS = b"auth:session:", b"auth:sessions:", b"auth:refresh:", b"auth:known:", b"auth:devices:"
NOT_QUEUES = b"auth:", b"cache:", b"health:", b"lock:", b"ops:"
"""What else is in the broker's database if it is the same."""
NEVER = -1


async def dump(resources: Resources, directory: Path) -> dict[str, int]:
    """Write logins and queues; returns the number of keys by file. What else is in Redis is computed anew."""
    return {
        name: await _dump(url, wanted, directory / f"{name}.jsonl") for name, (url, wanted) in _parts(resources).items()
    }


async def is_empty(resources: Resources) -> bool:
    """Whether there are neither logins nor queues."""
    return not any([await _keys(url, wanted) for url, wanted in _parts(resources).values()])


async def load(resources: Resources, directory: Path) -> None:
    """Restore the keys that have not expired since."""
    for name, (url, _) in _parts(resources).items():
        async with _connected(url) as client:
            for line in (directory / f"{name}.jsonl").read_text().splitlines():
                key, value, expires = json.loads(line)
                at = 0 if expires == NEVER else expires
                await client.restore(b64decode(key), at, b64decode(value), replace=True, absttl=at > 0)


def _parts(resources: Resources) -> dict[str, tuple[str, Callable[[bytes], bool]]]:
    """The address, and which keys, by file; without a broker that is no Redis."""
    settings = resources.settings
    parts = {
        "redis": (settings.redis.url, lambda key: key.startswith(LOGINS)),
        "broker": (settings.CELERY_BROKER_URL, lambda key: not key.startswith(NOT_QUEUES)),
    }
    return {name: part for name, part in parts.items() if not part[0].startswith("amqp")}


async def _keys(url: str, wanted: Callable[[bytes], bool]) -> list[bytes]:
    async with _connected(url) as client:
        return sorted({key async for key in client.scan_iter(count=1000) if wanted(key)})


async def _dump(url: str, wanted: Callable[[bytes], bool], path: Path) -> int:
    count = 0
    async with _connected(url) as client:
        with path.open("w") as file:
            for key in await _keys(url, wanted):
                value, expires = await client.dump(key), await client.pexpiretime(key)  # type: ignore[arg-type]  # takes bytes
                if value is not None:  # it expired meanwhile
                    file.write(json.dumps([b64encode(key).decode(), b64encode(value).decode(), expires]) + "\n")
                    count += 1
    return count


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator[Redis]:
    """A client whose replies are bytes."""
    async with Redis(connection_pool=connection_pool(url)) as client:
        yield client
