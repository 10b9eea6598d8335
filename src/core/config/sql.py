"""Addresses, pools and timeouts of the SQL databases."""

from typing import ClassVar

from pydantic import Field, SecretStr
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from src.core.config.base import ConfigurationError, StoreSettings


class SQLSettings(StoreSettings):
    """PostgreSQL, an optional replica, and more databases by name; pools and timeouts apply to each of them."""

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

    # Overflow connections are closed after one use: under load that is a new connection for every request.
    pool_size: int = Field(10, ge=1, alias="SQL_POOL_SIZE")
    max_overflow: int = Field(0, ge=0, alias="SQL_MAX_OVERFLOW")
    idle_timeout_seconds: float = Field(60, gt=0, alias="SQL_IDLE_TIMEOUT_SECONDS")
    # A request that meets a locked table waits for the pool, then for the lock: two seconds in all.
    pool_timeout_seconds: float = Field(1, gt=0, alias="SQL_POOL_TIMEOUT_SECONDS")
    pool_recycle_seconds: int = Field(1800, ge=-1, alias="SQL_POOL_RECYCLE_SECONDS")
    connect_timeout_seconds: float = Field(2, gt=0, alias="SQL_CONNECT_TIMEOUT_SECONDS")
    lock_timeout_seconds: float = Field(1, gt=0, alias="SQL_LOCK_TIMEOUT_SECONDS")
    command_timeout_seconds: float = Field(10, gt=0, alias="SQL_COMMAND_TIMEOUT_SECONDS")

    @property
    def url(self) -> URL:
        """The URL for SQLAlchemy's asynchronous engine.

        Raises:
            ConfigurationError: Neither `SQL_DATABASE_URL` nor `POSTGRESQL_HOST` is set.
        """
        if self.database_url is not None:
            return _postgresql_url(self.url_setting, self.database_url)
        if not self.host:
            raise self.missing()
        password = self.password.get_secret_value() or None
        return URL.create(self.scheme, self.username, password, self.host, self.port, self.database)

    @property
    def read_url(self) -> URL:
        """The URL for read-only sessions: the replica if there is one, else the primary."""
        return self.url if self.replica_url is None else _postgresql_url("SQL_REPLICA_URL", self.replica_url)

    @property
    def named_urls(self) -> dict[str, URL]:
        """The URLs of `SQL_DATABASES` by name, PostgreSQL or MySQL."""
        return {name: _parsed_url("SQL_DATABASES", url) for name, url in self.databases.items()}


# The supported drivers: timeouts and bulk inserts are written for them.
_DRIVERS = {"postgresql": "postgresql+asyncpg", "mysql": "mysql+asyncmy", "mariadb": "mariadb+asyncmy"}


def _parsed_url(setting: str, value: SecretStr) -> URL:
    try:
        url = make_url(value.get_secret_value())
    except ArgumentError as error:
        raise ConfigurationError(f"{setting} is not a URL such as postgresql://user:pw@host/db.") from error
    driver = _DRIVERS.get(url.get_backend_name())
    if driver is None:
        raise ConfigurationError(f"{setting} must be a URL of {', '.join(_DRIVERS)}.")
    return url.set(drivername=driver)


def _postgresql_url(setting: str, value: SecretStr) -> URL:
    url = _parsed_url(setting, value)
    if url.get_backend_name() != "postgresql":
        raise ConfigurationError(f"{setting} must be a PostgreSQL URL.")
    return url
