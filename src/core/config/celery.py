"""Celery's broker and task runs."""

from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, SecretStr, field_validator

from src.core.config.base import ConfigurationError, SettingsGroup

BROKER_SCHEMES = "redis", "rediss", "unix", "redis+sentinel", "rediss+sentinel", "sentinel", "amqp", "amqps", "pyamqp"


def checked_broker_url(name: str, value: str) -> str:
    """Return the value if it is the URL of a broker that tasks can be sent to.

    Raises:
        ConfigurationError: It is not. The value is not shown: it may hold a password.
    """
    scheme = value.partition("://")[0]
    if scheme not in BROKER_SCHEMES or "://" not in value:
        raise ConfigurationError(f"{name} must be a URL of one of these schemes: {', '.join(BROKER_SCHEMES)}.")
    if "sentinel" in scheme and "master_name=" not in value:
        raise ConfigurationError(f"{name} must name the master: redis+sentinel://host:26379/0?master_name=mymaster.")
    return value


class CelerySettings(SettingsGroup):
    """Broker and result backend, the time zone of crontabs, and how long task runs are kept.

    How many tasks a worker runs at once is on its command line (`-c`); time limits are in `src/queues/app.py`.
    """

    broker_url: SecretStr | None = Field(None, alias="CELERY_BROKER_URL")
    redis_url: str | None = Field(None, alias="CELERY_REDIS_URL")
    redis_database: int = Field(1, ge=0, le=15, alias="CELERY_REDIS_DATABASE")
    timezone: str = Field("UTC", alias="CELERY_TIMEZONE")
    run_retention_days: int = Field(30, ge=1, alias="TASK_RUN_RETENTION_DAYS")
    schedules_per_user: int = Field(1000, ge=1, alias="SCHEDULES_PER_USER")
    metrics_port: int | None = Field(None, ge=1, le=65535, alias="WORKER_METRICS_PORT")
    bulk_transport: bool = Field(default=True, alias="CELERY_BULK_TRANSPORT")

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError("unknown time zone") from error
        return value
