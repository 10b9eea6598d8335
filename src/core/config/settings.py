"""All settings, grouped by concern, from the environment and the dotenv files.

Precedence: the process's environment, `.env.<environment>`, `.env`, and in `LOCAL` the addresses of the running
embedded stores (`.local/env`).
"""

import os
from pathlib import Path
from typing import Any, Self
from urllib.parse import unquote, urlsplit

from dotenv import dotenv_values
from pydantic import AnyUrl, RedisDsn, ValidationError
from pydantic_settings import SettingsError

from src.core.config.app import AppSettings, CorsSettings, Environment, TelemetrySettings
from src.core.config.auth import AuthSettings, check_no_placeholder, check_store_password
from src.core.config.base import ConfigurationError
from src.core.config.celery import CelerySettings, checked_broker_url
from src.core.config.files import FileSettings, S3Settings
from src.core.config.identity.email import EmailSettings
from src.core.config.identity.factors import LOCAL_RP_ID, FactorSettings
from src.core.config.identity.oidc import OidcSettings
from src.core.config.renamed import check_renamed
from src.core.config.sockets import SocketSettings
from src.core.config.sql import SQLSettings
from src.core.config.stores import MongoSettings, RedisSettings, checked_redis_url, is_on_socket
from src.utils.redis_url import is_sentinel_url

ROOT = Path(__file__).resolve().parents[3]


class Settings:
    """Every settings group; the upper-case properties are the names that the README promises to users' code."""

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
        self.factors = FactorSettings(**files)
        self.email = EmailSettings(**files)
        self.oidc = OidcSettings(**files)
        self.telemetry = TelemetrySettings(**files)

    @classmethod
    def load(cls, root: Path = ROOT) -> Self:
        """Read and check all settings.

        Raises:
            ConfigurationError: A setting is renamed, unusable, or too weak for a deployed environment.
        """
        env_files = dotenv_files(root)
        check_renamed(env_files)
        try:
            settings = cls(env_files)
        except ValidationError as error:
            reasons = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
            raise ConfigurationError(f"Settings: {reasons}") from error
        except SettingsError as error:
            raise ConfigurationError(f"Settings: {error}") from error
        settings.auth.check()
        settings.email.check(is_local=settings.ENVIRONMENT is Environment.LOCAL)
        if settings.ENVIRONMENT.is_deployed or settings.auth.refresh_cookie_enabled:
            settings.cors.check_origins()
        settings.oidc.check(allows_http=settings.ENVIRONMENT is Environment.LOCAL)
        settings.factors.check()
        if settings.ENVIRONMENT.is_deployed:
            settings.auth.check_deployed()
            settings.factors.check_deployed()
            settings.email.check_deployed(may_be_plain="smtp" in settings.app.insecure_stores)
            settings.oidc.check_deployed()
            if settings.app.metrics_token is not None:
                check_no_placeholder("METRICS_TOKEN", settings.app.metrics_token.get_secret_value())
            elif settings.celery.metrics_port is not None:
                raise ConfigurationError("WORKER_METRICS_PORT needs METRICS_TOKEN in deployed environments.")
            settings.check_store_passwords()
        return settings

    def check_broker(self) -> None:
        """Check the URLs of Celery at start; a web process would otherwise first read them when it sends a task.

        Raises:
            ConfigurationError: One cannot be used, or no Redis is configured.
        """
        _ = self.CELERY_REDIS_URL, self.CELERY_BROKER_URL

    def check_store_passwords(self) -> None:
        """Refuse stores without an address, and passwords that are missing, weak, or copied from an example.

        A store on a Unix socket may go without one if `ALLOW_INSECURE_STORES` names it.

        Raises:
            ConfigurationError: With the first reason, in one line.
        """
        sql = {"PostgreSQL": self.sql.url, "SQL_REPLICA_URL": self.sql.read_url, **self.sql.named_urls}
        urls = [(name, "postgresql", url.render_as_string(hide_password=False)) for name, url in sql.items()]
        urls += [("Redis", "redis", self.REDIS_DATABASE_URL), ("CELERY_REDIS_URL", "redis", str(self.CELERY_REDIS_URL))]
        urls += [("CELERY_BROKER_URL", "redis", self.CELERY_BROKER_URL)]
        urls += [("MongoDB", "mongodb", self.MONGO_DATABASE_URL)]
        for name, store, url in urls:
            if store not in self.app.insecure_stores or not is_on_socket(url):
                parts = urlsplit(url)
                check_store_password(
                    f"The password of {name}", unquote(parts.username or ""), unquote(parts.password or "")
                )
        check_store_password("MINIO_ROOT_PASSWORD", self.s3.access_key, self.s3.secret_key.get_secret_value())

    @property
    def has_factors(self) -> bool:
        """Whether there are second factors: as set; by default, except where a deployed environment has no key."""
        enabled = self.factors.enabled_setting
        return enabled if enabled is not None else self.factors.has_key or not self.ENVIRONMENT.is_deployed

    @property
    def lacks_factor_key(self) -> bool:
        """Whether there are no second factors, and only because a deployed environment has no key."""
        return self.factors.enabled_setting is None and not self.has_factors

    @property
    def has_passkeys(self) -> bool:
        """Whether there are passkeys: in deployed environments they need the site that they belong to."""
        return self.has_factors and (bool(self.factors.rp_id_setting) or not self.ENVIRONMENT.is_deployed)

    @property
    def rp_id(self) -> str:
        """The site that passkeys belong to."""
        return self.factors.rp_id_setting or LOCAL_RP_ID

    @property
    def ENVIRONMENT(self) -> Environment:  # noqa: N802 - the name in the environment
        """Where the process runs."""
        return self.app.environment

    @property
    def SQL_DATABASE_URL(self) -> str:  # noqa: N802 - the name in the environment
        """SQLAlchemy URL, password included."""
        return self.sql.url.render_as_string(hide_password=False)

    @property
    def REDIS_DATABASE_URL(self) -> str:  # noqa: N802 - the name in the environment
        """Redis URL, password included."""
        return self.redis.url

    @property
    def MONGO_DATABASE_URL(self) -> str:  # noqa: N802 - the name in the environment
        """MongoDB URL, password included."""
        return self.mongo.url

    @property
    def MINIO_ENDPOINT(self) -> str:  # noqa: N802 - the name in the environment
        """Base URL of the S3 server."""
        return self.s3.endpoint

    @property
    def CELERY_REDIS_URL(self) -> AnyUrl:  # noqa: N802 - the name in the environment
        """Redis URL of the result backend, and of the broker unless `CELERY_BROKER_URL` is set."""
        url = self.celery.redis_url or self.redis.url_of_database(self.celery.redis_database)
        checked = checked_redis_url("CELERY_REDIS_URL", url)
        if is_sentinel_url(checked):
            raise ConfigurationError("CELERY_REDIS_URL must name one server: it cannot be behind Sentinel.")
        return AnyUrl(checked) if checked.startswith("unix://") else RedisDsn(checked)

    @property
    def CELERY_BROKER_URL(self) -> str:  # noqa: N802 - the name in the environment
        """URL of the broker: Redis, Redis behind Sentinel, or RabbitMQ."""
        url = self.celery.broker_url
        return checked_broker_url("CELERY_BROKER_URL", url.get_secret_value()) if url else str(self.CELERY_REDIS_URL)

    @property
    def CELERY_TIMEZONE(self) -> str:  # noqa: N802 - the name in the environment
        """IANA time zone of crontabs that name none."""
        return self.celery.timezone


def dotenv_files(root: Path) -> tuple[Path, ...]:
    """The dotenv files that apply, lowest precedence first."""
    environment = os.environ.get("ENVIRONMENT") or dotenv_values(root / ".env").get("ENVIRONMENT") or Environment.LOCAL
    files = (root / ".env", root / f".env.{environment.lower()}")
    return (root / ".local" / "env", *files) if environment == Environment.LOCAL else files


settings = Settings.load()
