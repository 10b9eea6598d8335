"""Which errors of the stores' clients mean that a store is unavailable (503).

A store is unavailable if it cannot be reached, does not reply in time, or replies that it cannot serve. The tables
below list such replies.
"""

import errno
import re
import socket
from asyncio import CancelledError
from traceback import walk_tb

from asyncpg import PostgresError
from pymongo.errors import ConnectionFailure, ExecutionTimeout, OperationFailure, PyMongoError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from src.core.exceptions import ServiceUnavailableError

_UNAVAILABLE = (
    RedisConnectionError,  # wrong password, loading and too many clients included
    RedisTimeoutError,
    PoolTimeoutError,
    ConnectionFailure,
    ExecutionTimeout,
    ConnectionError,
    TimeoutError,
    socket.gaierror,
)
# What a call of PostgreSQL raises if there was no connection or no response, or its caller waits no longer.
NO_RESPONSE = OSError, PoolTimeoutError, CancelledError
_UNREACHABLE = {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN}

# The first word of an error reply.
REDIS_CODES = {
    "BUSY": "a script has been running for too long",
    "CLUSTERDOWN": "the cluster has no primary for the key",
    "MASTERDOWN": "a replica without its primary",
    "MISCONF": "snapshots fail, so writes are refused",
    "NOPERM": "the user lacks a permission",
    "NOREPLICAS": "too few replicas, so writes are refused",
    "OOM": "the memory limit is reached",
    "READONLY": "a read-only replica",
}
# SQLSTATEs, or the beginning of several.
POSTGRESQL_STATES = {
    "08": "the connection is lost",
    "25006": "the server is read-only",
    "28": "wrong password, or a role that may not log in",
    "3D000": "the database does not exist",
    "40001": "the transaction conflicts with another one",
    "40P01": "deadlock",
    "53": "out of connections, memory or disk space",
    "55P03": "lock timeout",
    "57014": "statement timeout",
    "57P": "the server is starting or shutting down",
    "58": "the server cannot read or write its files",
}
# MySQL and MariaDB.
MYSQL_CODES = {
    1040: "too many connections",
    1044: "the user may not use the database",
    1045: "wrong password",
    1049: "the database does not exist",
    1053: "the server is shutting down",
    1205: "lock timeout",
    1213: "deadlock",
    1290: "the server is read-only",
    1836: "the server is read-only",
    1969: "statement timeout",
    2002: "the server cannot be reached",
    2003: "the server cannot be reached",
    2006: "the connection is lost",
    2013: "the connection is lost",
    3024: "statement timeout",
}
MONGODB_CODES = {
    13: "the user lacks a permission",
    18: "wrong password",
}

# Why a store is unavailable, by the message of its client; the first that matches.
_REASONS = {
    "all connections are in use": "QueuePool",
    "its name does not resolve": "gaierror|getaddrinfo|Name or service",
    "it refuses connections": "refused|Connect call failed",
    "the connection is lost": "reset by peer|closed|lost|broken|aborted|no element found|^ConnectionError$",
    "no response in time": "(?i)time(d )?out|time limit",
}

# The store that a client library belongs to. SQLAlchemy's own errors, such as a full pool, may be of any SQL database.
_STORES = {"asyncpg": "postgresql", "asyncmy": "mysql", "redis": "redis", "pymongo": "mongodb", "sqlalchemy": "sql"}


def as_unavailable(error: BaseException) -> ServiceUnavailableError | None:
    """The 503 to render this error as, with the name of the store; None if it is not about an unavailable store."""
    if isinstance(error, ServiceUnavailableError):
        return error
    return ServiceUnavailableError(store=_store_of(error)) if _is_unavailable(error) else None


def is_read_only(error: BaseException | None) -> bool:
    """Whether a SQL server refused a write because it is read-only."""
    return getattr(error, "sqlstate", None) == "25006" or _mysql_code(error) in (1290, 1836)


def is_serialization_failure(error: BaseException) -> bool:
    """Whether a SQL transaction failed only because of others at the same time, so that it may be repeated."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    return getattr(cause, "sqlstate", None) in ("40001", "40P01") or _mysql_code(cause) == 1213


def missing_schema(error: object) -> str | None:
    """What to do about a table or column that does not exist, as before migrations have run; None for other errors."""
    cause = getattr(error, "orig", None)
    if getattr(cause, "sqlstate", None) not in ("42P01", "42703"):
        return None
    text = str(getattr(cause, "__cause__", None) or cause).partition("\n")[0]
    return f"The database lacks the schema of this code: {text}. Run ./scripts/alembic/migrate.sh."


def summary(error: BaseException) -> str:
    """The type and the first line of an error, for the log; those of its cause if it is ours."""
    if isinstance(error, ServiceUnavailableError) and error.__cause__ is not None:
        error = error.__cause__
    return f"{type(error).__name__}: {error}".partition("\n")[0]


def in_words(reason: str) -> str:
    """The summary of an outage's error, after what it means; at most 200 characters of it."""
    reason = reason.removesuffix(": ")
    words = next((f"{words}: " for words, pattern in _REASONS.items() if re.search(pattern, reason)), "")
    return f"{words}{reason:.200}"


def _is_unavailable(error: BaseException) -> bool:
    match error:
        case DBAPIError():
            return error.connection_invalidated or _has_unavailable_state(error.orig)
        case PostgresError():
            return _has_unavailable_state(error)
        case PyMongoError() if error.has_error_label("TransientTransactionError"):
            return True
        case OperationFailure() if error.code in MONGODB_CODES:
            return True
        case RedisError() if _redis_code(error) in REDIS_CODES:
            return True
        case RuntimeError():
            # uvloop raises it for a write to a connection that was reset.
            return "handler is closed" in str(error)
        case OSError() if error.errno in _UNREACHABLE:
            return True
    return isinstance(error, _UNAVAILABLE)


def _has_unavailable_state(error: object) -> bool:
    state = str(getattr(error, "sqlstate", None) or "")
    return state.startswith(tuple(POSTGRESQL_STATES)) or _mysql_code(error) in MYSQL_CODES


def _redis_code(error: RedisError) -> str:
    # redis-py strips the code from the text if it has a class for it.
    return error.status_code or str(error).partition(" ")[0]


def _mysql_code(error: object) -> object:
    """The number of a MySQL error, its first argument."""
    return next(iter(getattr(error, "args", ())), None)


def _store_of(error: BaseException) -> str:
    """The name of the store, by the library that raised the error; empty if it is unknown."""
    modules = [type(error).__module__, *(frame.f_globals["__name__"] for frame, _ in walk_tb(error.__traceback__))]
    names = {name for module in modules for name in module.split(".")}
    store = next((store for library, store in _STORES.items() if library in names), "")
    return store or (_store_of(error.__cause__) if error.__cause__ else "")  # the call that a timeout has cancelled
