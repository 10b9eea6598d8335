"""URLs of Redis and of Sentinels."""

from typing import Any

import pytest

from src.utils.redis_pool import blocking_client, connection_pool
from src.utils.redis_url import find_problem, parse_sentinel_url

pytestmark = pytest.mark.unit

URL = "redis+sentinel://ann:p%40ss@one:26380,two/3?master_name=m&sentinel_username=s&sentinel_password=t"


class TestProblem:
    @pytest.mark.parametrize(
        "url", ["redis://h/0", "rediss://h", "unix:///run/redis.sock?db=1", URL, URL.replace("redis+", "rediss+"),
                "redis+sentinel://a;b/0?master_name=m"]
    )  # fmt: skip
    def test_is_none(self, url: str) -> None:
        assert find_problem(url) is None

    @pytest.mark.parametrize(
        ("url", "reason"),
        [
            ("redis+cluster://h", "Redis Cluster, which is not supported"),
            ("rediss+cluster://h", "Redis Cluster, which is not supported"),
            ("http://h", "must be a URL such as redis://"),
            ("redis", "must be a URL such as redis://"),
            ("redis+sentinel://h/0", "must name Sentinels and a master"),
            ("redis+sentinel:///0?master_name=m", "must name Sentinels and a master"),
            ("redis+sentinel://h:port/0?master_name=m", "must name Sentinels and a master"),
        ],
    )
    def test_is_one_line(self, url: str, reason: str) -> None:
        assert reason in str(find_problem(url))


class TestSentinel:
    def test_parts(self) -> None:
        parsed = parse_sentinel_url(URL)
        assert (parsed.hosts, parsed.master) == ([("one", 26380), ("two", 26379)], "m")
        assert parsed.login == {"username": "s", "password": "t"}

    @pytest.mark.parametrize("create", [connection_pool, lambda *args: blocking_client(*args).connection_pool])
    def test_without_a_user(self, create: Any) -> None:
        options = create("redis+sentinel://one:26380/3?master_name=m").connection_kwargs
        assert (options["db"], "username" in options, "password" in options) == (3, False, False)

    @pytest.mark.parametrize("create", [connection_pool, lambda *args: blocking_client(*args).connection_pool])
    def test_options(self, create: Any) -> None:
        pool = create(URL)
        options, manager = pool.connection_kwargs, pool.sentinel_manager
        assert (options["username"], options["password"], options["db"]) == ("ann", "p@ss", 3)
        of_sentinel = manager.sentinels[0].connection_pool.connection_kwargs
        assert (of_sentinel["username"], of_sentinel["password"], of_sentinel["db"]) == ("s", "t", 0)

    @pytest.mark.parametrize("create", [connection_pool, lambda *args: blocking_client(*args).connection_pool])
    def test_tls_is_for_both(self, create: Any) -> None:
        pool = create(f"{URL}&ssl_ca_certs=/ca.pem".replace("redis+", "rediss+"))
        for used in (pool, pool.sentinel_manager.sentinels[0].connection_pool):
            assert "SSL" in used.connection_class.__name__
            assert used.connection_kwargs["ssl_ca_certs"] == "/ca.pem"
