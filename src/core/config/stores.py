"""Where the stores are: each as one URL that wins, or in the parts that the compose files set."""

from typing import Any, ClassVar
from urllib.parse import quote, urlsplit

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError


class ConfigurationError(SystemExit):
    """A setting is missing or unusable: the process ends with this one line instead of a traceback."""


class SettingsGroup(BaseSettings):
    """Settings of one concern, read from the environment and the dotenv files."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True, hide_input_in_errors=True)


class StoreSettings(SettingsGroup):
    """A store that some setting has to name."""

    store: ClassVar[str]
    url_setting: ClassVar[str]

    def missing(self) -> ConfigurationError:
        """What to say when nothing names the store."""
        return ConfigurationError(
            f"{self.store}: {self.url_setting} is not set, and no embedded store is running. "
            "Set it, or start ./scripts/dev.sh."
        )


def credentials(username: str, password: SecretStr) -> str:
    """The `user:password@` part of a URL, empty when there is neither."""
    if not username and not password.get_secret_value():
        return ""
    return f"{quote(username, safe='')}:{quote(password.get_secret_value(), safe='')}@"


def checked_redis_url(name: str, value: str) -> str:
    """The value itself.

    Raises:
        ConfigurationError: It is no Redis URL; what it is instead is not shown, for it may hold a password.
    """
    if not value.startswith(("redis://", "rediss://", "unix://")):
        raise ConfigurationError(f"{name} is not a URL such as redis://:password@host:6379/0.")
    return value


class SQLSettings(StoreSettings):
    """PostgreSQL, its pools, and how long anything may wait for it; beside it any number of databases by name."""

    store: ClassVar[str] = "PostgreSQL"
    url_setting: ClassVar[str] = "SQL_DATABASE_URL"

    database_url: SecretStr | None = Field(None, alias="SQL_DATABASE_URL")
    scheme: str = Field("postgresql+asyncpg", alias="POSTGRESQL_ASYNC_SCHEME")
    host: str = Field("", alias="POSTGRESQL_HOST")
    port: int = Field(5432, ge=1, le=65535, alias="POSTGRESQL_PORT")
    username: str = Field("postgres", alias="POSTGRESQL_USERNAME")
    password: SecretStr = Field(SecretStr(""), alias="POSTGRESQL_PASSWORD")
    database: str = Field("app", alias="POSTGRESQL_DATABASE")

    replica_url: SecretStr | None = Field(None, alias="SQL_REPLICA_URL")
    databases: dict[str, SecretStr] = Field({}, alias="SQL_DATABASES")

    # Connections beyond the pool are made for one use: under load, for every one.
    pool_size: int = Field(20, ge=1, alias="SQL_POOL_SIZE")
    max_overflow: int = Field(0, ge=0, alias="SQL_MAX_OVERFLOW")
    pool_timeout_seconds: float = Field(2, gt=0, alias="SQL_POOL_TIMEOUT_SECONDS")
    connect_timeout_seconds: float = Field(2, gt=0, alias="SQL_CONNECT_TIMEOUT_SECONDS")
    lock_timeout_seconds: float = Field(1.5, gt=0, alias="SQL_LOCK_TIMEOUT_SECONDS")
    command_timeout_seconds: float = Field(10, gt=0, alias="SQL_COMMAND_TIMEOUT_SECONDS")

    @property
    def url(self) -> URL:
        """The address, for SQLAlchemy's asynchronous engine.

        Raises:
            ConfigurationError: Nothing names the database.
        """
        if self.database_url is not None:
            return _postgresql_url(self.url_setting, self.database_url)
        if not self.host:
            raise self.missing()
        password = self.password.get_secret_value() or None
        return URL.create(self.scheme, self.username, password, self.host, self.port, self.database)

    @property
    def reading_url(self) -> URL:
        """The address for what only reads: a replica, where there is one."""
        return self.url if self.replica_url is None else _postgresql_url("SQL_REPLICA_URL", self.replica_url)

    @property
    def named_urls(self) -> dict[str, URL]:
        """The addresses of the databases beside the first, PostgreSQL or MySQL."""
        return {name: _parsed_url("SQL_DATABASES", url) for name, url in self.databases.items()}


# The drivers that the pools and the bulk paths are written for.
_DRIVERS = {"postgresql": "postgresql+asyncpg", "mysql": "mysql+asyncmy", "mariadb": "mariadb+asyncmy"}


def _parsed_url(setting: str, value: SecretStr) -> URL:
    try:
        url = make_url(value.get_secret_value())
    except ArgumentError as error:
        raise ConfigurationError(f"{setting} is not a URL such as postgresql://user:pw@host/db.") from error
    driver = _DRIVERS.get(url.get_backend_name())
    if driver is None:
        raise ConfigurationError(f"{setting} has to name a database of {', '.join(_DRIVERS)}.")
    return url.set(drivername=driver)


def _postgresql_url(setting: str, value: SecretStr) -> URL:
    url = _parsed_url(setting, value)
    if url.get_backend_name() != "postgresql":
        raise ConfigurationError(f"{setting} has to name a PostgreSQL database.")
    return url


class RedisSettings(StoreSettings):
    """Redis, for sessions, permissions, locks and Socket.IO; Celery uses a database of its own beside it."""

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
        """The address, for redis-py.

        Raises:
            ConfigurationError: Nothing names the server.
        """
        if self.database_url is not None:
            return checked_redis_url(self.url_setting, self.database_url.get_secret_value())
        if not self.host:
            raise self.missing()
        return f"{self.scheme}://{credentials(self.username, self.password)}{self.host}:{self.port}/{self.database}"

    def url_of_database(self, number: int) -> str:
        """The same server, another numbered database."""
        return urlsplit(self.url)._replace(path=f"/{number}").geturl()


class MongoSettings(StoreSettings):
    """MongoDB, or a server that speaks its protocol."""

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
        """The address, for PyMongo.

        Raises:
            ConfigurationError: Nothing names the server.
        """
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        if not self.host:
            raise self.missing()
        port = "" if self.scheme == "mongodb+srv" else f":{self.port}"
        return f"{self.scheme}://{credentials(self.username, self.password)}{self.host}{port}/"

    @property
    def database(self) -> str:
        """The database's name: the URL's path, or `MONGO_INITDB_DATABASE`."""
        return urlsplit(self.url).path.strip("/") or self.default_database


class S3Settings(StoreSettings):
    """MinIO, or any S3."""

    store: ClassVar[str] = "S3"
    url_setting: ClassVar[str] = "MINIO_ENDPOINT"

    endpoint_setting: str = Field("", alias="MINIO_ENDPOINT")
    public_endpoint_setting: str = Field("", alias="MINIO_PUBLIC_ENDPOINT")
    access_key: str = Field("", alias="MINIO_ROOT_USER")
    secret_key: SecretStr = Field(SecretStr(""), alias="MINIO_ROOT_PASSWORD")
    bucket: str = Field("app", alias="MINIO_BUCKET")
    region: str = Field("us-east-1", alias="MINIO_REGION")
    timeout_seconds: float = Field(5, gt=0, alias="MINIO_TIMEOUT_SECONDS")

    @property
    def endpoint(self) -> str:
        """The server's base URL, such as `http://localhost:9000`; without a scheme it is taken as `http`.

        Raises:
            ConfigurationError: Nothing names the server.
        """
        if not self.endpoint_setting:
            raise self.missing()
        return _with_scheme(self.endpoint_setting)

    @property
    def public_endpoint(self) -> str:
        """The base URL by which browsers reach the server: the same, unless `MINIO_PUBLIC_ENDPOINT` names another."""
        return _with_scheme(self.public_endpoint_setting) if self.public_endpoint_setting else self.endpoint

    def client_options(self, *, public: bool = False) -> dict[str, Any]:
        """What the MinIO SDK wants to know; `public` is for signing what browsers will use."""
        url = urlsplit(self.public_endpoint if public else self.endpoint)
        return {
            "endpoint": url.netloc,
            "access_key": self.access_key,
            "secret_key": self.secret_key.get_secret_value(),
            "secure": url.scheme == "https",
            "region": self.region,
        }


def _with_scheme(endpoint: str) -> str:
    return endpoint if "://" in endpoint else f"http://{endpoint}"
