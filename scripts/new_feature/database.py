"""What removing a feature changes in the database that the settings name."""

import asyncio
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import asyncpg

from scripts.new_feature.migration import FORGET_CODES, Migration
from scripts.new_feature.noun import RefusedError
from src.core.config import settings


def undo(root: Path, migration: Migration) -> None:
    """Downgrade a database that has run the migration.

    Raises:
        RefusedError: The database does not answer, or the migration cannot be undone.
    """
    rows = asyncio.run(_query("SELECT version_num FROM alembic_version"))
    if migration.script.revision not in {row["version_num"] for row in rows}:
        return
    command = [sys.executable, "-m", "alembic", "downgrade", f"{migration.script.revision}-1"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)  # noqa: S603 - our own
    if done.returncode:
        raise RefusedError(f"The migration cannot be undone: {done.stderr.strip().rpartition(chr(10))[2]}")


def forget_codes(codes: Sequence[str]) -> None:
    """Take permission codes out of all roles."""
    if codes:
        asyncio.run(_query(FORGET_CODES.format(dead="$1::text[]"), list(codes)))


async def _query(statement: str, *arguments: object) -> list[asyncpg.Record]:
    try:
        url = settings.sql.url_without_pooler
        connection = await asyncpg.connect(**url.translate_connect_args(username="user"), **url.query)
        try:
            rows: list[asyncpg.Record] = await connection.fetch(statement, *arguments)
        finally:
            await connection.close()
    except asyncpg.UndefinedTableError:
        return []  # a database without a schema has nothing to undo
    except (asyncpg.PostgresError, OSError) as error:
        raise RefusedError(f"The database does not answer: {error}.") from error
    return rows
