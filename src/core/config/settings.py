"""All settings, grouped by concern, from the environment and the dotenv files.

Strongest first: the process's environment, `.env.<environment>`, `.env`, and in `LOCAL` the file that the running
embedded stores keep (`.local/env`).
"""

import json
import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dotenv import dotenv_values
from pydantic import BeforeValidator, Field, RedisDsn, ValidationError, field_validator
from pydantic_settings import NoDecode, SettingsError

from src.core.config.auth import AuthSettings, check_no_placeholder
from src.core.config.environment import Environment
from src.core.config.files import FileSettings
from src.core.config.sockets import SocketSettings
from src.core.config.stores import (
    ConfigurationError,
    MongoSettings,
    RedisSettings,
    S3Settings,
    SettingsGroup,
    SQLSettings,
    checked_redis_url,
)

ROOT = Path(__file__).resolve().parents[3]


LogLevel = Annotated[
    Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], BeforeValidator(lambda value: str(value).upper())
]
# `["a", "b"]` as well as `a, b`.
Names = Annotated[list[str], NoDecode, BeforeValidator(lambda value: _names(value))]

# Where a page of anybody's could come from.
ANYBODY = [
    f"{scheme}://anybody.{zone}" for scheme in ("http", "https") for zone in ("com", "net", "org", "io", "example")
]


def _names(value: object) -> object:
    if not isinstance(value, str):
        return value
    return json.loads(value) if value.lstrip().startswith("[") else [name.strip() for name in value.split(",") if name]


class AppSettings(SettingsGroup):
    """The process itself: environment, logs, limits of a request."""

    environment: Environment = Field(Environment.LOCAL, alias="ENVIRONMENT")
    name: str = Field("Async-FastAPI-MultiDB", alias="APP_NAME")
    version: str = Field("0.1.0", alias="APP_VERSION")
    log_level: LogLevel = Field("INFO", alias="LOG_LEVEL")
    max_body_bytes: int = Field(1024 * 1024, ge=1024, alias="MAX_BODY_BYTES")
    audit_retention_days: int = Field(365, ge=1, alias="AUDIT_RETENTION_DAYS")


class CorsSettings(SettingsGroup):
    """Which pages of other origins may call; the same list serves REST and Socket.IO."""

    origins: Names = Field([], alias="CORS_ORIGINS")
    origins_regex: str | None = Field(None, alias="CORS_ORIGINS_REGEX")
    headers: Names = Field(["Authorization", "Content-Type", "X-Refresh-Token"], alias="CORS_HEADERS")

    @field_validator("origins_regex")
    @classmethod
    def _is_expression(cls, value: str | None) -> str | None:
        try:
            re.compile(value or "")
        except re.error as error:
            raise ValueError("not a regular expression") from error
        return value

    def check_deployed(self) -> None:
        """Refuse a list that lets every page use its visitors' credentials."""
        expression = re.compile(self.origins_regex or "(?!)")
        if "*" in self.origins or any(expression.fullmatch(origin) for origin in ANYBODY):
            raise ConfigurationError("CORS_ORIGINS must list origins; a wildcard would let any page use credentials.")


class CelerySettings(SettingsGroup):
    """The broker and result store, and the clock that crontabs follow."""

    redis_url: str | None = Field(None, alias="CELERY_REDIS_URL")
    redis_database: int = Field(1, ge=0, le=15, alias="CELERY_REDIS_DATABASE")
    timezone: str = Field("UTC", alias="CELERY_TIMEZONE")
    run_retention_days: int = Field(30, ge=1, alias="TASK_RUN_RETENTION_DAYS")
    bulk_transport: bool = Field(default=True, alias="CELERY_BULK_TRANSPORT")

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError("unknown time zone") from error
        return value


class Settings:
    """One object with a group per concern; the upper-case names are those that users' code refers to."""

    def __init__(self, env_files: tuple[Path, ...] = ()) -> None:
        files: dict[str, Any] = {"_env_file": env_files}
        self.app = AppSettings(**files)
        self.sql = SQLSettings(**files)
        self.redis = RedisSettings(**files)
        self.mongo = MongoSettings(**files)
        self.s3 = S3Settings(**files)
        self.files = FileSettings(**files)
        self.celery = CelerySettings(**files)
        self.sockets = SocketSettings(**files)
        self.cors = CorsSettings(**files)
        self.auth = AuthSettings(**files)

    @classmethod
    def load(cls, root: Path = ROOT) -> Self:
        """Read everything, and refuse what must not run.

        Raises:
            ConfigurationError: A setting is unusable, or too weak for a deployed environment.
        """
        try:
            settings = cls(_env_files(root))
        except ValidationError as error:
            reasons = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
            raise ConfigurationError(f"Settings: {reasons}") from error
        except SettingsError as error:
            raise ConfigurationError(f"Settings: {error}") from error
        settings.auth.check()
        if settings.ENVIRONMENT.is_deployed:
            settings.auth.check_deployed()
            settings.cors.check_deployed()
            settings.check_store_passwords()
        return settings

    def check_broker(self) -> None:
        """Refuse an unusable `CELERY_REDIS_URL`, which a web process asks for no sooner than it sends a task.

        Raises:
            ConfigurationError: It is none, or not set.
        """
        _ = self.CELERY_REDIS_URL

    def check_store_passwords(self) -> None:
        """Refuse a store that is not named, or that an example's password opens.

        Raises:
            ConfigurationError: With the first reason, in one line.
        """
        urls = {
            "PostgreSQL": self.SQL_DATABASE_URL,
            "SQL_REPLICA_URL": self.sql.reading_url.render_as_string(hide_password=False),
            **{name: url.render_as_string(hide_password=False) for name, url in self.sql.named_urls.items()},
            "Redis": self.REDIS_DATABASE_URL,
            "CELERY_REDIS_URL": str(self.CELERY_REDIS_URL),
            "MongoDB": self.MONGO_DATABASE_URL,
        }
        for store, url in urls.items():
            check_no_placeholder(f"The password of {store}", urlsplit(url).password or "")
        check_no_placeholder("MINIO_ROOT_PASSWORD", self.s3.secret_key.get_secret_value())

    @property
    def ENVIRONMENT(self) -> Environment:  # noqa: N802 - the environment's own name
        """Where the process runs."""
        return self.app.environment

    @property
    def SQL_DATABASE_URL(self) -> str:  # noqa: N802 - the environment's own name
        """SQLAlchemy URL, password included."""
        return self.sql.url.render_as_string(hide_password=False)

    @property
    def REDIS_DATABASE_URL(self) -> str:  # noqa: N802 - the environment's own name
        """Redis URL, password included."""
        return self.redis.url

    @property
    def MONGO_DATABASE_URL(self) -> str:  # noqa: N802 - the environment's own name
        """MongoDB URL, password included."""
        return self.mongo.url

    @property
    def MINIO_ENDPOINT(self) -> str:  # noqa: N802 - the environment's own name
        """Base URL of the S3 server."""
        return self.s3.endpoint

    @property
    def CELERY_REDIS_URL(self) -> RedisDsn:  # noqa: N802 - the environment's own name
        """Redis URL of broker and results."""
        url = self.celery.redis_url or self.redis.url_of_database(self.celery.redis_database)
        return RedisDsn(checked_redis_url("CELERY_REDIS_URL", url))

    @property
    def CELERY_TIMEZONE(self) -> str:  # noqa: N802 - the environment's own name
        """IANA name of the zone that crontabs without one follow."""
        return self.celery.timezone


def _env_files(root: Path) -> tuple[Path, ...]:
    """The dotenv files that apply, weakest first."""
    environment = os.environ.get("ENVIRONMENT") or dotenv_values(root / ".env").get("ENVIRONMENT") or Environment.LOCAL
    files = (root / ".env", root / f".env.{environment.lower()}")
    return (root / ".local" / "env", *files) if environment == Environment.LOCAL else files


settings = Settings.load()
