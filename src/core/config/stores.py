"""Addresses of Redis and MongoDB: a URL, or the parts that the compose files set; the URL takes precedence."""

from typing import ClassVar
from urllib.parse import parse_qs, quote, unquote, urlsplit

from pydantic import Field, SecretStr

from src.core.config.base import ConfigurationError, StoreSettings
from src.utils.redis_url import find_problem


def _credentials(username: str, password: SecretStr) -> str:
    """The `user:password@` part of a URL, empty if both are."""
    if not username and not password.get_secret_value():
        return ""
    return f"{quote(username, safe='')}:{quote(password.get_secret_value(), safe='')}@"


def checked_redis_url(name: str, value: str) -> str:
    """Return the value if it is the URL of a Redis, or of Sentinels.

    Raises:
        ConfigurationError: It is not. The value is not shown: it may hold a password.
    """
    if problem := find_problem(value):
        raise ConfigurationError(f"{name} {problem}.")
    return value


def is_on_socket(url: str) -> bool:
    """Whether a store listens on a Unix socket, which only this machine reaches; the URL says so."""
    parts = urlsplit(url)
    hosts = [*parse_qs(parts.query).get("host", ()), unquote(parts.netloc.rpartition("@")[2])]
    return parts.scheme == "unix" or any(host.startswith("/") for host in hosts)


class RedisSettings(StoreSettings):
    """Redis for sessions, permissions, locks and Socket.IO. Celery uses another database of the same server."""

    store: ClassVar[str] = "Redis"
    url_setting: ClassVar[str] = "REDIS_DATABASE_URL"

    database_url: SecretStr | None = Field(None, alias="REDIS_DATABASE_URL")
    scheme: str = Field("redis", alias="REDIS_SCHEME")
    host: str = Field("", alias="REDIS_HOST")
    port: int = Field(6379, ge=1, le=65535, alias="REDIS_PORT")
    username: str = Field("", alias="REDIS_ROOT_USERNAME")
    password: SecretStr = Field(SecretStr(""), alias="REDIS_ROOT_PASSWORD")
    database: int = Field(0, ge=0, le=15, alias="REDIS_DATABASE")

    max_connections: int = Field(500, ge=1, alias="REDIS_MAX_CONNECTIONS")
    timeout_seconds: float = Field(0.5, gt=0, alias="REDIS_TIMEOUT_SECONDS")

    @property
    def url(self) -> str:
        """The URL for redis-py.

        Raises:
            ConfigurationError: Neither `REDIS_DATABASE_URL` nor `REDIS_HOST` is set.
        """
        if self.database_url is not None:
            return checked_redis_url(self.url_setting, self.database_url.get_secret_value())
        if not self.host:
            raise self.missing()
        return f"{self.scheme}://{_credentials(self.username, self.password)}{self.host}:{self.port}/{self.database}"

    def url_of_database(self, number: int) -> str:
        """The URL of another numbered database on the same server."""
        if self.url.startswith("unix://"):
            return urlsplit(self.url)._replace(query=f"db={number}").geturl()
        return urlsplit(self.url)._replace(path=f"/{number}").geturl()


class MongoSettings(StoreSettings):
    """MongoDB, or a server that speaks its wire protocol."""

    store: ClassVar[str] = "MongoDB"
    url_setting: ClassVar[str] = "MONGO_DATABASE_URL"

    database_url: SecretStr | None = Field(None, alias="MONGO_DATABASE_URL")
    scheme: str = Field("mongodb", alias="MONGO_SCHEME")
    host: str = Field("", alias="MONGO_HOST")
    port: int = Field(27017, ge=1, le=65535, alias="MONGO_PORT")
    username: str = Field("", alias="MONGO_INITDB_ROOT_USERNAME")
    password: SecretStr = Field(SecretStr(""), alias="MONGO_INITDB_ROOT_PASSWORD")
    default_database: str = Field("app", alias="MONGO_INITDB_DATABASE")

    timeout_seconds: float = Field(2, gt=0, alias="MONGO_TIMEOUT_SECONDS")

    @property
    def url(self) -> str:
        """The URL for PyMongo.

        Raises:
            ConfigurationError: Neither `MONGO_DATABASE_URL` nor `MONGO_HOST` is set.
        """
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        if not self.host:
            raise self.missing()
        port = "" if self.scheme == "mongodb+srv" else f":{self.port}"
        return f"{self.scheme}://{_credentials(self.username, self.password)}{self.host}{port}/"

    @property
    def database(self) -> str:
        """The name of the database: the path of the URL, else `MONGO_INITDB_DATABASE`."""
        return urlsplit(self.url).path.strip("/") or self.default_database
