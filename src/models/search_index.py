"""Indexes for `keyword`: the trigrams of the searched columns, from PostgreSQL's extension pg_trgm.

They are no part of the revisions: `migrate.sh` creates the missing ones whenever it has reached the newest revision.
So a database whose user may not create the extension works as well, and gets them once an administrator has created it.
"""

from collections.abc import Sequence

from sqlalchemy import Index, Table
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.schema import CreateIndex, DropIndex

PREFIX = "search_"
# The user may not create the extension, or the server's installation lacks it.
_UNAVAILABLE = {"42501", "0A000", "58P01"}
# The models are ahead of the migrations.
_NOT_MIGRATED = {"42P01", "42703"}
_VALIDITY = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('{}')"


def search_index(table: str, *columns: str) -> Index:
    """The index of a table for `keyword` in these columns; keywords of one or two characters do not use it."""
    operators = dict.fromkeys(columns, "gin_trgm_ops")
    return Index(
        f"{PREFIX}{table}", *columns, postgresql_using="gin", postgresql_ops=operators, postgresql_concurrently=True
    )


async def create_search_indexes(connection: AsyncConnection, tables: Sequence[Table]) -> bool:
    """Create the missing ones while their tables are in use; returns False if there is no extension for them.

    Args:
        connection: A connection without transactions.
        tables: The tables of its database.
    """
    indexes = [index for table in tables for index in table.indexes if _is_search_index(index)]
    missing = [index for index in indexes if not await _is_valid(connection, index)]
    if not missing:
        return True
    try:
        await connection.exec_driver_sql("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) not in _UNAVAILABLE:
            raise
        return False
    for index in missing:
        try:
            # An attempt that was interrupted leaves an index that is not used.
            await connection.execute(DropIndex(index, if_exists=True))
            await connection.execute(CreateIndex(index))
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) not in _NOT_MIGRATED:
                raise
    return True


def _is_search_index(index: Index) -> bool:
    return str(index.name).startswith(PREFIX)


async def _is_valid(connection: AsyncConnection, index: Index) -> bool:
    return bool((await connection.exec_driver_sql(_VALIDITY.format(index.name))).scalar())
