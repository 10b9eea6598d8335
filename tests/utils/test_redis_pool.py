"""Commands have the bytes and the errors that redis-py gives them."""

from typing import Any

import pytest
from redis.asyncio import Connection
from redis.exceptions import DataError

from src.utils.redis_pool import connection_pool

pytestmark = pytest.mark.unit

SENTINEL = "redis+sentinel://one:26380/0?master_name=m"


def connect(url: str = "redis://h/0") -> Any:
    pool: Any = connection_pool(url, encoding_errors="surrogateescape")
    return pool.make_connection()


@pytest.mark.parametrize(
    "command",
    [
        ("SET", "é\0", b"\xff\0", 1, -1.5, 10**30),
        ("SET", "\udcff", ""),
        ("CLIENT SETNAME", "a b"),
        (b"GET", "a"),
        ("SET", "a", memoryview(b"b")),
        ("SET", "a", "b" * 100_000),
    ],
    ids=["types", "surrogate", "two words", "bytes", "memoryview", "long"],
)
def test_a_command_has_the_same_bytes(command: tuple[Any, ...]) -> None:
    connection = connect()
    assert b"".join(connection.pack_command(*command)) == b"".join(Connection.pack_command(connection, *command))


@pytest.mark.parametrize("value", [None, True, [], {}], ids=repr)
def test_a_value_without_bytes_has_the_same_error(value: object) -> None:
    with pytest.raises(DataError):
        connect().pack_command("SET", "a", value)


@pytest.mark.parametrize("url", ["redis://h/0", "rediss://h/0", "unix:///run/redis.sock", SENTINEL])
def test_hiredis_packs_for_each_kind_of_url(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hiredis.pack_command", lambda command: repr(command).encode())
    assert connect(url).pack_command("GET", "a") == [b"('GET', 'a')"]
