"""Indexes for `keyword`, also where the extension pg_trgm cannot be created."""

import asyncio
import secrets
from collections.abc import Iterator

import pytest
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool
from sqlmodel import SQLModel

from src.models import __all__ as models
from src.models.search_index import create_search_indexes
from tests.support.scratch import Scratch, scratch_database

pytestmark = pytest.mark.process

VALID = """
SELECT indexrelid::regclass::text FROM pg_index
WHERE indisvalid AND starts_with(indexrelid::regclass::text, 'search_') ORDER BY 1
"""
SEARCHED = [("search_files",), ("search_roles",), ("search_schedules",), ("search_users",)]


@pytest.fixture
def database() -> Iterator[Scratch]:
    with scratch_database(migrated=True) as database:
        yield database


@pytest.fixture
def user(database: Scratch) -> Iterator[str]:
    """Somebody who may use the schema, and create nothing in the database."""
    name = f"limited_{secrets.token_hex(6)}"
    database.rows(f"CREATE ROLE {name} LOGIN PASSWORD 'secret'")
    database.rows(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {name}")
    yield name
    database.rows(f"DROP OWNED BY {name}")
    database.rows(f"DROP ROLE {name}")


def create(database: Scratch) -> bool:
    return asyncio.run(_create(database))


async def _create(database: Scratch) -> bool:
    assert models  # which registers the tables
    engine = create_async_engine(database.url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        return await create_search_indexes(connection, SQLModel.metadata.sorted_tables)


def test_migrating_creates_them(database: Scratch) -> None:
    assert database.rows(VALID) == SEARCHED


def test_without_the_extension_migrating_says_what_to_do(database: Scratch, user: str) -> None:
    database.rows("DROP EXTENSION pg_trgm CASCADE")
    limited = database.url.set(username=user, password="secret").render_as_string(hide_password=False)
    output = database.run("alembic", "upgrade", "head", SQL_DATABASE_URL=limited).stdout
    assert output.strip().endswith("run CREATE EXTENSION pg_trgm in this database, then scripts/alembic/migrate.sh.")
    assert create(database)  # as an administrator
    assert database.rows(VALID) == SEARCHED


def test_what_an_interrupted_attempt_left_is_replaced(database: Scratch) -> None:
    database.rows("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'search_users'::regclass")
    assert create(database)
    assert database.rows(VALID) == SEARCHED


def test_a_model_that_is_ahead_of_the_migrations_waits(database: Scratch) -> None:
    database.rows("DROP INDEX search_users")
    database.rows("ALTER TABLE roles DROP COLUMN description")
    assert create(database)
    assert database.rows(VALID) == [name for name in SEARCHED if name != ("search_roles",)]
