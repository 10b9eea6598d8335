"""URLs of Redis, also behind Sentinel.

`redis+sentinel://user:password@host:26379,host:26379/0?master_name=mymaster` names Sentinels, which know the master;
user and password are those of Redis. `sentinel_username` and `sentinel_password` are those of the Sentinels. With
`rediss+sentinel` both are reached by TLS. All other options are redis-py's.
"""

from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode, urlsplit

SCHEMES = "redis", "rediss", "unix"
SENTINEL_SCHEMES = "redis+sentinel", "rediss+sentinel"
_SENTINEL_PORT = 26379


@dataclass(frozen=True, slots=True)
class SentinelURL:
    """A parsed URL.

    Attributes:
        hosts: Addresses of the Sentinels.
        master: The name of the master.
        master_url: The URL of the master, without its host.
        login: User and password for the Sentinels, as redis-py names them.
    """

    hosts: list[tuple[str, int]]
    master: str
    master_url: str
    login: dict[str, str]


def is_sentinel_url(url: str) -> bool:
    """Whether a URL names Sentinels."""
    return url.partition("://")[0] in SENTINEL_SCHEMES


def find_problem(url: str) -> str | None:
    """Say why a URL cannot be used, as the end of a sentence; None if it can. The URL is not shown."""
    scheme = url.partition("://")[0]
    if "cluster" in scheme:
        return "names a Redis Cluster, which is not supported: use Sentinel (redis+sentinel://) or one server"
    if scheme in SENTINEL_SCHEMES:
        try:
            parse_sentinel_url(url)
        except (KeyError, ValueError):
            return "must name Sentinels and a master: redis+sentinel://host:26379,host:26379/0?master_name=mymaster"
        return None
    return None if "://" in url and scheme in SCHEMES else "must be a URL such as redis://:password@host:6379/0"


def parse_sentinel_url(url: str) -> SentinelURL:
    """Parse a URL of one of `SENTINEL_SCHEMES`.

    Raises:
        KeyError: It names no master.
        ValueError: A port is invalid, or it names no host.
    """
    parts = urlsplit(url)
    user, _, hosts = parts.netloc.rpartition("@")
    query = dict(parse_qsl(parts.query))
    master = query.pop("master_name")
    login = {name: query.pop(f"sentinel_{name}") for name in ("username", "password") if f"sentinel_{name}" in query}
    scheme = parts.scheme.removesuffix("+sentinel")
    master_url = parts._replace(scheme=scheme, netloc=f"{user}@", query=urlencode(query)).geturl()
    return SentinelURL([_address(host) for host in hosts.replace(";", ",").split(",")], master, master_url, login)


def _address(host: str) -> tuple[str, int]:
    parts = urlsplit(f"//{host}")
    if not parts.hostname:
        raise ValueError("no host")
    return parts.hostname, parts.port or _SENTINEL_PORT
