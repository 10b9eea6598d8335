"""Checks for an operator's command, before it changes anything: each failure is one line that says what to do."""

import asyncio
import logging
import os
import re
from collections.abc import Collection
from pathlib import Path
from urllib.parse import urlsplit

from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from asyncpg import InvalidAuthorizationSpecificationError, InvalidCatalogNameError, PostgresError
from pymongo.errors import OperationFailure
from redis.exceptions import AuthenticationError
from sqlalchemy import URL, Connection
from sqlalchemy.exc import SQLAlchemyError

from src.core.config import Settings
from src.core.config.app import Environment
from src.core.resources import Resources

ROOT = Path(__file__).resolve().parents[2]
MIGRATE = "scripts/alembic/migrate.sh"
CONNECTION_ERRORS = (SQLAlchemyError, PostgresError, OSError)
"""What a failed connection to PostgreSQL raises."""
_START = "Start it (./scripts/dev.sh starts embedded stores), or correct"
_REFUSALS = (
    InvalidAuthorizationSpecificationError,
    InvalidCatalogNameError,
    AuthenticationError,
    OperationFailure,
)
"""Errors of a server that runs: the setting is wrong."""
_S3_KEYS = "Correct MINIO_ROOT_USER and MINIO_ROOT_PASSWORD"
_S3_REMEDIES = {
    "InvalidAccessKeyId": _S3_KEYS,
    "SignatureDoesNotMatch": _S3_KEYS,
    "AccessDenied": _S3_KEYS,
    "RequestTimeTooSkewed": "Synchronise the clocks (NTP)",
}


class PreflightError(SystemExit):
    """A store does not respond, or has another schema: the process exits with this line instead of a traceback."""


async def require_stores(resources: Resources, *, schema: bool = True) -> None:
    """Check that every store responds, and that the SQL schema is the one of this code.

    `schema` is False for a command that replaces the schema.

    Raises:
        PreflightError: With the reason and the remedy.
    """
    settings = resources.settings
    try:
        async with resources.engine.connect() as connection:
            if schema:
                await connection.run_sync(require_schema, settings)
    except CONNECTION_ERRORS as error:
        raise unreachable(settings.sql.url, error) from error
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # it logs each retry at WARNING
    checks = {
        ("Redis", settings.redis.url, "REDIS_DATABASE_URL"): resources.redis.ping(),
        ("MongoDB", settings.mongo.url, "MONGO_DATABASE_URL"): resources.mongo.command("ping"),
        ("S3", settings.s3.endpoint, "MINIO_ENDPOINT"): resources.storage.check(),
    }
    outcomes = await asyncio.gather(*checks.values(), return_exceptions=True)
    for (store, url, setting), outcome in zip(checks, outcomes, strict=True):
        if isinstance(outcome, Exception):
            parts = urlsplit(url)
            raise unusable(store, parts.netloc.rpartition("@")[2] or parts.path, setting, outcome)


def require_schema(connection: Connection, settings: Settings) -> None:
    """Check that the database is at the newest migration of this code.

    Raises:
        PreflightError: It has no schema, or is behind or ahead.
    """
    logging.getLogger("alembic").setLevel(logging.WARNING)  # Alembic logs each check at INFO
    script = ScriptDirectory(str(ROOT / "alembic"))
    current = MigrationContext.configure(connection).get_current_heads()
    require_known(script, current, settings)
    if not current:
        raise PreflightError(f"The database has no schema yet. Run {MIGRATE}.")
    if set(current) != set(script.get_heads()):
        raise PreflightError(f"The database is behind this code, at revision {', '.join(current)}. Run {MIGRATE}.")


def require_known(script: ScriptDirectory, current: Collection[str], settings: Settings) -> None:
    """Check that this code knows the revisions that the database is at.

    Raises:
        PreflightError: Another branch or a newer release migrated the database.
    """
    unknown = set(current) - {revision.revision for revision in script.walk_revisions()}
    if unknown:
        way_out = "Check out the branch that has it and downgrade there, or use another database."
        if settings.ENVIRONMENT is Environment.LOCAL:
            way_out += " If its migration was deleted: ./scripts/manage.sh reset erases all data and migrates again."
        revisions = ", ".join(sorted(unknown))
        raise PreflightError(
            f"The database is ahead of this code: alembic/versions has no revision {revisions}. {way_out}"
        )


def unreachable(url: URL, error: Exception) -> PreflightError:
    """The error for a PostgreSQL server that refuses the connection or does not respond."""
    address = f"{url.host or 'localhost'}:{url.port or 5432}/{url.database or ''}"
    return unusable("PostgreSQL", address, "SQL_DATABASE_URL", error)


def unusable(store: str, address: str, setting: str, error: Exception) -> PreflightError:
    """The error for a store that cannot be used: its address, the reason and the remedy."""
    cause = _root_cause(error)
    is_refusal = isinstance(cause, _REFUSALS) or type(cause).__name__ == "S3Error"  # whose module is imported late
    remedy = _S3_REMEDIES.get(str(getattr(cause, "code", "")))
    remedy = remedy or f"{'Correct' if is_refusal else _START} {setting}"
    return PreflightError(f"Cannot use {store} at {address}: {reason_of(error)}. {remedy}.")


def _root_cause(error: BaseException) -> BaseException:
    while cause := getattr(error, "orig", None) or error.__cause__:
        if isinstance(cause, asyncio.CancelledError):  # how `asyncio.timeout` ends what takes too long
            break
        error = cause
    return error


def reason_of(error: BaseException) -> str:
    """What caused an error: its first line, or what the number of the operating system's error means."""
    error = _root_cause(error)
    text = str(error).partition("\n")[0]
    if found := re.search(r"\[SSL: \w+\] ([^(]+)", text):  # its number has another meaning
        return found[1].strip().rstrip(".")
    if found := re.search(r"(?:Errno|Error) (\d+)\b", text):
        return os.strerror(int(found[1])).lower()
    if isinstance(error, TimeoutError):
        return "no response in time"
    if found := re.match(r"S3 operation failed; code: (\w+), message: (.*?), resource: ", text):
        return f"{found[2].rstrip('.')} ({found[1]})"
    text = re.split(r" \(configured timeouts|, Timeout: |, full error", text)[0]  # MongoDB
    return text.rstrip(".")[:200] or type(error).__name__
