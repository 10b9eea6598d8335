"""What Celery wants to know of a broker and a result backend, from the URLs that redis-py and kombu take."""

import re
import ssl
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit

CERTIFICATES = {"required": ssl.CERT_REQUIRED, "optional": ssl.CERT_OPTIONAL, "none": ssl.CERT_NONE}


class Broker(NamedTuple):
    """A broker for Celery.

    Attributes:
        url: `broker_url`.
        options: What `broker_transport_options` needs beside the application's own.
        ssl: `broker_use_ssl`.
    """

    url: str
    options: dict[str, Any]
    ssl: dict[str, Any] | None = None

    @property
    def is_redis(self) -> bool:
        """Whether messages are kept in Redis."""
        return not self.url.startswith(("amqp", "pyamqp"))


def redis_url(url: str) -> str:
    """The URL of a broker or a result backend for a Redis URL (`redis`, `rediss` or `unix`).

    TLS certificates are verified unless the URL says otherwise: Celery refuses a `rediss` URL that does not say, and
    kombu would connect without TLS.
    """
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    if parts.scheme == "rediss":
        query.setdefault("ssl_cert_reqs", "required")
        return parts._replace(query=urlencode(query)).geturl()
    if parts.scheme == "unix":
        database = query.pop("db", "0")
        return f"socket://{parts.netloc}{parts.path}?{urlencode({**query, 'virtual_host': database})}"
    return url


def parse_broker(url: str) -> Broker:
    """The broker of a URL.

    - `redis+sentinel://[user:password@]host:port,host:port/database?master_name=…`: the Sentinels of one master, whose
      own login is `sentinel_username` and `sentinel_password`. `rediss+sentinel` uses TLS. Celery's form works as well:
      `sentinel://…;sentinel://…`
    - `amqp`, and `amqps`, whose certificate and host name are verified unless the URL says `ssl_cert_reqs=none`
    - a Redis URL, as for `redis_url`

    `ssl_cert_reqs`, `ssl_ca_certs`, `ssl_certfile` and `ssl_keyfile` configure TLS.
    """
    scheme = url.partition("://")[0]
    if scheme in ("sentinel", "redis+sentinel", "rediss+sentinel"):
        return _sentinel(url)
    if scheme in ("amqp", "amqps", "pyamqp"):
        return _amqp(url)
    converted = redis_url(url)
    return Broker(f"redis+{converted}" if scheme == "unix" else converted, {})


def _sentinel(url: str) -> Broker:
    parts = [urlsplit(f"//{part.rpartition('://')[2]}") for part in re.split("[;,]", url)]
    user, at, _ = parts[0].netloc.rpartition("@")
    hosts = [part.netloc.rpartition("@")[2] for part in parts]
    database, query = parts[-1].path or "/0", dict(parse_qsl(parts[-1].query))
    options: dict[str, Any] = {"master_name": query.pop("master_name")}
    names = "username", "password"
    if sentinel := {name: query.pop(f"sentinel_{name}") for name in names if f"sentinel_{name}" in query}:
        options["sentinel_kwargs"] = sentinel
    tls = ({"cert_reqs": ssl.CERT_REQUIRED} if url.startswith("rediss") else {}) | _tls(query)
    joined = ";".join(f"sentinel://{user}{at}{host}{database}" for host in hosts)
    return Broker(joined, options, {f"ssl_{name}": value for name, value in tls.items()} or None)


def _amqp(url: str) -> Broker:
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    tls = _tls(query)
    if parts.scheme == "amqps":
        # kombu takes the name to verify from the URL.
        tls = {"cert_reqs": ssl.CERT_REQUIRED, "server_hostname": None, **tls}
    if tls.get("cert_reqs") == ssl.CERT_NONE:
        del tls["server_hostname"]
    # RabbitMQ confirms each message, so that none is lost on its way.
    return Broker(parts._replace(query=urlencode(query)).geturl(), {"confirm_publish": True}, tls or None)


def _tls(query: dict[str, str]) -> dict[str, Any]:
    """Take the TLS options out of a query."""
    tls: dict[str, Any] = {name: query.pop(name) for name in list(query) if name.startswith("ssl_")}
    tls = {name.removeprefix("ssl_"): value for name, value in tls.items()}
    if "cert_reqs" in tls:
        tls["cert_reqs"] = CERTIFICATES[str(tls["cert_reqs"]).lower().removeprefix("cert_")]
    return tls
