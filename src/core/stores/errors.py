"""Which errors of the stores' clients mean that a store is unavailable (503), and which a conflict (409)."""

import errno
import socket

from asyncpg import PostgresError
from pymongo.errors import ConnectionFailure, DuplicateKeyError, ExecutionTimeout, PyMongoError
from redis.exceptions import BusyLoadingError, ReadOnlyError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from src.core.exceptions import ConflictError, ServiceUnavailableError

_UNAVAILABLE = (
    RedisConnectionError,
    RedisTimeoutError,
    BusyLoadingError,
    ReadOnlyError,
    PoolTimeoutError,
    ConnectionFailure,
    ExecutionTimeout,
    ConnectionError,
    TimeoutError,
    socket.gaierror,
)

_UNREACHABLE = (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN)

# PostgreSQL's SQLSTATEs: connection lost, too many connections, shutdown, deadlock, lock and statement timeouts.
_TRANSIENT_STATES = ("08", "53", "57P", "40001", "40P01", "55P03", "57014")


def as_unavailable(error: BaseException) -> ServiceUnavailableError | None:
    """The 503 to render this error as; None if it is not about an unavailable store."""
    if isinstance(error, ServiceUnavailableError):
        return error
    transient = (isinstance(error, DBAPIError) and _is_transient(error)) or (
        isinstance(error, PostgresError) and str(error.sqlstate or "").startswith(_TRANSIENT_STATES)
    )
    transient = transient or (isinstance(error, PyMongoError) and error.has_error_label("TransientTransactionError"))
    unreachable = isinstance(error, OSError) and error.errno in _UNREACHABLE
    return ServiceUnavailableError() if transient or unreachable or isinstance(error, _UNAVAILABLE) else None


# The same as error numbers of MySQL.
_TRANSIENT_CODES = (1040, 1053, 1205, 1213, 1969, 2002, 2003, 2006, 2013, 3024)


def _is_transient(error: DBAPIError) -> bool:
    state = getattr(error.orig, "sqlstate", None) or ""
    known = str(state).startswith(_TRANSIENT_STATES) or _number(error.orig) in _TRANSIENT_CODES
    return known or error.connection_invalidated


# Violations of unique and foreign keys: PostgreSQL's SQLSTATEs, MySQL's error numbers.
_CONFLICTS = frozenset({"23505", "23503", 1062, 1451, 1452})


def as_conflict(error: BaseException) -> ConflictError | None:
    """The 409 to render this error as; None if it is not a conflict."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, DuplicateKeyError):
        return ConflictError()
    return ConflictError() if {getattr(cause, "sqlstate", None), _number(cause)} & _CONFLICTS else None


def _number(error: object) -> object:
    """The number of a MySQL error, its first argument."""
    return next(iter(getattr(error, "args", ())), None)
