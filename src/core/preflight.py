"""Checks for an operator's command, before it changes anything: each failure is one line that says what to do."""

import asyncio
import logging
from collections.abc import Collection
from pathlib import Path

from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from asyncpg import PostgresError
from sqlalchemy import URL, Connection
from sqlalchemy.exc import SQLAlchemyError

from src.core.resources import Resources

ROOT = Path(__file__).resolve().parents[2]
MIGRATE = "scripts/alembic/migrate.sh"
CONNECTION_ERRORS = (SQLAlchemyError, PostgresError, OSError)
"""What a failed connection to PostgreSQL raises."""
_REMEDY = "Start it (./scripts/dev.sh starts embedded stores), or correct"


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
                await connection.run_sync(require_schema)
    except CONNECTION_ERRORS as error:
        raise unreachable(settings.sql.url, error) from error
    checks = {
        "REDIS_DATABASE_URL": resources.redis.ping(),
        "MONGO_DATABASE_URL": resources.mongo.command("ping"),
        "MINIO_ENDPOINT": resources.storage.check(),
    }
    outcomes = await asyncio.gather(*checks.values(), return_exceptions=True)
    for setting, outcome in zip(checks, outcomes, strict=True):
        if isinstance(outcome, Exception):
            raise PreflightError(f"Cannot use the store of {setting}: {_reason(outcome)}. {_REMEDY} {setting}.")


def require_schema(connection: Connection) -> None:
    """Check that the database is at the newest migration of this code.

    Raises:
        PreflightError: It has no schema, or is behind or ahead.
    """
    logging.getLogger("alembic").setLevel(logging.WARNING)  # Alembic logs each check at INFO
    script = ScriptDirectory(str(ROOT / "alembic"))
    current = MigrationContext.configure(connection).get_current_heads()
    require_known(script, current)
    if not current:
        raise PreflightError(f"The database has no schema yet. Run {MIGRATE}.")
    if set(current) != set(script.get_heads()):
        raise PreflightError(f"The database is behind this code, at revision {', '.join(current)}. Run {MIGRATE}.")


def require_known(script: ScriptDirectory, current: Collection[str]) -> None:
    """Check that this code knows the revisions that the database is at.

    Raises:
        PreflightError: Another branch or a newer release migrated the database.
    """
    unknown = set(current) - {revision.revision for revision in script.walk_revisions()}
    if unknown:
        raise PreflightError(
            f"The database is ahead of this code: alembic/versions has no revision {', '.join(sorted(unknown))}. "
            "Check out the branch that has it and downgrade there, or use another database."
        )


def unreachable(url: URL, error: Exception) -> PreflightError:
    """The error for a PostgreSQL server that refuses the connection or does not respond."""
    address = f"{url.host}:{url.port}/{url.database}"
    return PreflightError(f"Cannot use PostgreSQL at {address}: {_reason(error)}. {_REMEDY} SQL_DATABASE_URL.")


def _reason(error: Exception) -> str:
    text = str(getattr(error, "orig", None) or error).partition("\n")[0].rstrip(".")
    return text[:200] or type(error).__name__
