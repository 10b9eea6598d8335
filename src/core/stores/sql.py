"""Engines and sessions of the SQL databases."""

import math
import time
from collections.abc import Mapping
from contextlib import suppress
from enum import IntEnum
from functools import partial
from typing import Any

from sqlalchemy import URL, Connection, event, inspect
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DisconnectionError, SQLAlchemyError
from sqlalchemy.ext import asyncio as sqlalchemy_asyncio
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker
from sqlmodel.ext.asyncio.session import AsyncSession

from src.core.config.sql import SQLSettings
from src.core.stores.errors import is_read_only
from src.core.stores.fair_pool import FairPool
from src.core.stores.mysql import mysql_options

# Without a transaction, each statement sees what is committed when it starts.
_AUTOCOMMIT = {"isolation_level": "AUTOCOMMIT"}


class AdvisoryLock(IntEnum):
    """The keys of all advisory locks in PostgreSQL, except those of the outbox and of e-mails, which are hashes."""

    MIGRATIONS = 7_283_064_519
    INITIAL_ADMIN = 7_283_064_520
    DOCUMENT_MIGRATIONS = 7_283_064_521
    SCHEDULES_OF_CONFIG = 2_026_112_401
    RUN_EVENTS = 2_026_112_402


class SQLDatabase:
    """A database: its connection pool, and sessions on it.

    Args:
        settings: Pool sizes and timeouts, the same for all databases.
        read_only: The server rejects writes, and statements run without a transaction.
    """

    def __init__(self, settings: SQLSettings, url: URL, *, read_only: bool = False) -> None:
        self.engine = create_engine(settings, url, read_only=read_only, gives_back_idle=True)
        # A pooler may give each statement of this engine to another connection, also between "prepare" and "execute".
        self.without_transaction = (
            self.engine if settings.pooler == "transaction" else self.engine.execution_options(**_AUTOCOMMIT)
        )
        bind = self.without_transaction if read_only else self.engine
        self.sessions = async_sessionmaker(bind, class_=AsyncSession, expire_on_commit=False)


def create_engine(
    settings: SQLSettings, url: URL | None = None, *, read_only: bool = False, gives_back_idle: bool = False
) -> AsyncEngine:
    """An engine with timeouts for connecting, for the pool, for locks and for statements.

    Args:
        settings: Pool sizes and timeouts.
        url: The database; by default that of the settings.
        read_only: The server rejects writes.
        gives_back_idle: PostgreSQL closes connections that have been idle for `SQL_IDLE_TIMEOUT_SECONDS`.
    """
    url = url or settings.url
    postgresql = url.get_backend_name() == "postgresql"
    if postgresql:
        options = _postgresql_options(settings, read_only, gives_back_idle)
    else:
        options = mysql_options(settings, read_only)
    # Looked up when it is called: tracing replaces it.
    engine = sqlalchemy_asyncio.create_async_engine(
        url,
        hide_parameters=True,  # errors are logged, and parameters may be secret
        poolclass=FairPool,
        pool_size=settings.pool_size,
        max_overflow=settings.max_overflow,
        pool_timeout=settings.pool_timeout_seconds,
        pool_recycle=settings.pool_recycle_seconds,
        pool_use_lifo=True,  # so that connections beyond those in use become idle
        pool_pre_ping=not postgresql,
        connect_args=options,
    )
    if postgresql:
        event.listen(engine.sync_engine, "checkout", _replace_closed)
        event.listen(engine.sync_engine, "handle_error", _give_up_after_timeout)
        event.listen(engine.sync_engine, "invalidate", _terminate)
    if postgresql and settings.pooler == "transaction":
        event.listen(engine.sync_engine, "begin", partial(_configure, _parameters(settings, read_only)))
    if postgresql and gives_back_idle:
        event.listen(engine.sync_engine, "checkin", _note_time)
        event.listen(engine.sync_engine, "checkout", partial(_replace_idle, 0.9 * settings.idle_timeout_seconds))
    if not read_only:
        event.listen(engine.sync_engine, "handle_error", _leave_demoted_server)
    return engine


async def reload_expired(session: AsyncSession) -> None:
    """Reload the rows that a rolled back savepoint has expired, except those that others have deleted."""
    for row in list(session):
        if inspect(row).expired:
            with suppress(SQLAlchemyError):  # a lost connection as well: its error is on its way already
                await session.refresh(row)


def _postgresql_options(settings: SQLSettings, read_only: bool, gives_back_idle: bool) -> dict[str, Any]:
    options = {"timeout": settings.connect_timeout_seconds, "command_timeout": settings.command_timeout_seconds}
    if settings.pooler == "transaction":
        # Unnamed statements only: a named one would stay in a connection that others get next.
        unnamed = {"statement_cache_size": 0, "prepared_statement_cache_size": 0}
        return {**options, **unnamed, "prepared_statement_name_func": lambda: ""}
    idle = {"idle_session_timeout": _milliseconds(settings.idle_timeout_seconds)} if gives_back_idle else {}
    return {**options, "server_settings": _parameters(settings, read_only) | idle}


def _parameters(settings: SQLSettings, read_only: bool) -> dict[str, str]:
    return {
        "lock_timeout": _milliseconds(settings.lock_timeout_seconds),
        "statement_timeout": _milliseconds(settings.command_timeout_seconds),
        "timezone": "UTC",
        **({"default_transaction_read_only": "on"} if read_only else {}),
    }


def _configure(parameters: Mapping[str, str], connection: Connection) -> None:
    """Set the parameters for one transaction: poolers refuse or ignore those of a connection."""
    names = {"default_transaction_read_only": "transaction_read_only"}
    settings = (f"set_config('{names.get(name, name)}', '{value}', true)" for name, value in parameters.items())
    connection.exec_driver_sql(f"SELECT {', '.join(settings)}")


def _leave_demoted_server(context: ExceptionContext) -> None:
    """Replace all connections once the server is found to be read-only, as a primary is after a failover."""
    if is_read_only(context.original_exception):
        context.is_disconnect = True


def _milliseconds(seconds: float) -> str:
    return str(int(seconds * 1000))


def _note_time(_connection: object, record: Any) -> None:
    record.info["idle_since"] = time.monotonic()


def _replace_idle(seconds: float, _connection: object, record: Any, _proxy: object) -> None:
    """Replace a connection that the server may be about to close: a statement would fail in that moment."""
    if time.monotonic() - record.info.get("idle_since", math.inf) > seconds:
        raise DisconnectionError


def _give_up_after_timeout(context: ExceptionContext) -> None:
    """Do not roll back on a connection whose server does not respond: that would wait for another timeout."""
    if isinstance(context.original_exception, TimeoutError):
        context.is_disconnect = True
        context.invalidate_pool_on_disconnect = False


def _terminate(connection: Any, _record: object, _error: object) -> None:
    """Close a connection at once; SQLAlchemy would wait two seconds for the server to confirm it."""
    connection.driver_connection.terminate()


def _replace_closed(connection: Any, _record: object, _proxy: object) -> None:
    """Make the pool reconnect after a server restart; asyncpg knows that a connection is closed, without a ping."""
    if connection.driver_connection.is_closed():
        raise DisconnectionError
