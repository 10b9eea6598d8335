"""Whether the stores were migrated and filled by this very code: then a start can leave that out."""

import asyncio
import hashlib
import os
from pathlib import Path

from scripts.local.process import PROJECT_ROOT

INPUTS = ("alembic/**/*.py", "src/initdb.py", "src/models/**/*.py", "src/core/config/**/*.py", ".env", ".env.local")
"""What decides about the schema and the initial data."""
ADDRESSES = ("SQL_DATABASE_URL", "MONGO_DATABASE_URL", "MINIO_ENDPOINT", "MINIO_BUCKET", "INITIAL_ADMIN_PASSWORD")


class InitialisedMark:
    """A file with a digest of the code and the addresses, and the revision that the database had."""

    def __init__(self, directory: Path) -> None:
        self._file = directory / "initialised"

    def fits(self) -> bool:
        """Whether nothing has changed since `set`."""
        return self._file.exists() and self._file.read_text() == self._content()

    def set(self) -> None:
        """Remember that migrations and initdb have run."""
        if content := self._content():
            self._file.write_text(content)

    def _content(self) -> str | None:
        revision = asyncio.run(_revision())
        if revision is None:
            return None
        digest = hashlib.sha256("\0".join(os.environ.get(name, "") for name in ADDRESSES).encode())
        for file in sorted({file for pattern in INPUTS for file in PROJECT_ROOT.glob(pattern)}):
            digest.update(f"{file}\0".encode() + file.read_bytes())
        return f"{digest.hexdigest()} {revision}"


async def _revision() -> str | None:
    """The revision of the database; None when it cannot be told."""
    import asyncpg  # here, since it takes a while to import, and `run` does without

    url = os.environ.get("SQL_DATABASE_URL", "").replace("+asyncpg", "")
    try:
        connection = await asyncpg.connect(url, timeout=2)
        try:
            revision: str | None = await connection.fetchval("SELECT version_num FROM alembic_version")
        finally:
            await connection.close()
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, ValueError):
        return None
    return revision
