"""Addresses, pools and timeouts of the SQL databases."""

from typing import ClassVar, Literal

from pydantic import Field, SecretStr
from sqlalchemy import URL

from src.core.config.base import StoreSettings
from src.core.config.sql_urls import postgresql_url, sql_url


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

    # With a pooler in between, a transaction may run on any connection: nothing can be set for a whole connection.
    pooler: Literal["none", "transaction"] = Field("none", alias="SQL_POOLER")
    direct_url: SecretStr | None = Field(None, alias="SQL_DIRECT_URL")

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
            return postgresql_url(self.url_setting, self.database_url)
        if not self.host:
            raise self.missing()
        password = self.password.get_secret_value() or None
        return URL.create(self.scheme, self.username, password, self.host, self.port, self.database)

    @property
    def read_url(self) -> URL:
        """The URL for read-only sessions: the replica if there is one, else the primary."""
        return self.url if self.replica_url is None else postgresql_url("SQL_REPLICA_URL", self.replica_url)

    @property
    def url_without_pooler(self) -> URL:
        """The URL for what needs a connection of its own: migrations, locks of a session, and LISTEN."""
        return self.url if self.direct_url is None else postgresql_url("SQL_DIRECT_URL", self.direct_url)

    @property
    def named_urls(self) -> dict[str, URL]:
        """The URLs of `SQL_DATABASES` by name, PostgreSQL or MySQL."""
        return {name: sql_url("SQL_DATABASES", url) for name, url in self.databases.items()}
