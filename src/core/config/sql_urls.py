"""SQL URLs as database providers hand them out, for SQLAlchemy's asynchronous engines."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from pydantic import SecretStr
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from src.core.config.base import ConfigurationError

# The supported drivers: timeouts and bulk inserts are written for them.
DRIVERS = {
    "postgresql": "postgresql+asyncpg",
    "postgres": "postgresql+asyncpg",
    "mysql": "mysql+asyncmy",
    "mariadb": "mariadb+asyncmy",
}

# Options of other clients, which are settings here or have no meaning for asyncpg.
_OF_OTHER_CLIENTS = {
    *{"channel_binding", "connect_timeout", "connection_limit", "fallback_application_name", "gssencmode"},
    *{"keepalives", "keepalives_count", "keepalives_idle", "keepalives_interval", "pgbouncer", "pool_mode"},
    *{"pool_timeout", "schema", "sslsni", "supa", "tcp_user_timeout", "uselibpqcompat"},
}
_SSL_MODES = {"true": "require", "1": "require", "false": "disable", "0": "disable", "no-verify": "require"}
_ROOT_CERTIFICATES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")


def sql_url(setting: str, value: SecretStr) -> URL:
    """The URL of a setting.

    Raises:
        ConfigurationError: It is not the URL of a supported database.
    """
    try:
        url = make_url(value.get_secret_value().strip())
    except (ArgumentError, ValueError) as error:
        raise ConfigurationError(f"{setting} is not a URL such as postgresql://user:pw@host/db.") from error
    driver = DRIVERS.get(url.get_backend_name())
    if driver is None:
        raise ConfigurationError(f"{setting} must be a URL of {', '.join(DRIVERS)}.")
    url = url.set(drivername=driver)
    return url.set(query=_asyncpg_query(url.query)) if driver.startswith("postgresql") else url


def postgresql_url(setting: str, value: SecretStr) -> URL:
    """The URL of a setting that names a PostgreSQL database.

    Raises:
        ConfigurationError: It does not.
    """
    url = sql_url(setting, value)
    if url.get_backend_name() != "postgresql":
        raise ConfigurationError(f"{setting} must be a PostgreSQL URL.")
    return url


def _asyncpg_query(query: Mapping[str, Any]) -> dict[str, Any]:
    """The options in a DSN of their own: so asyncpg reads `sslmode` and the like as libpq does, SQLAlchemy nothing."""
    if "dsn" in query:
        return dict(query)
    address = {name: query[name] for name in ("host", "port") if name in query}
    options = {name: value for name, value in query.items() if name not in (*_OF_OTHER_CLIENTS, *address)}
    mode = options.pop("ssl", None) or options.get("sslmode")
    if mode is not None:
        options["sslmode"] = _SSL_MODES.get(mode, mode)
    if options.get("sslmode", "").startswith("verify") and options.get("sslrootcert", "system") == "system":
        found = next(filter(Path.exists, map(Path, _ROOT_CERTIFICATES)), None)
        options |= {"sslrootcert": str(found)} if found else {}
    return address | ({"dsn": f"postgresql://?{urlencode(options, doseq=True)}"} if options else {})
