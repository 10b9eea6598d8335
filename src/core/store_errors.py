"""What the stores' clients raise when their server is away, slow or overloaded."""

import errno
import socket

from asyncpg import PostgresError
from pymongo.errors import ConnectionFailure, DuplicateKeyError, ExecutionTimeout
from redis.exceptions import BusyLoadingError, ReadOnlyError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from urllib3.exceptions import HTTPError as S3ConnectionError

from src.core.exceptions import ConflictError, ServiceUnavailableError

_UNAVAILABLE = (
    RedisConnectionError,
    RedisTimeoutError,
    BusyLoadingError,
    ReadOnlyError,
    PoolTimeoutError,
    ConnectionFailure,
    ExecutionTimeout,
    S3ConnectionError,
    ConnectionError,
    TimeoutError,
    socket.gaierror,
)

_UNREACHABLE = (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN)

# PostgreSQL's SQLSTATE: lost connection, too many of them, shutting down, deadlock, lock and statement timeouts.
_TRANSIENT_STATES = ("08", "53", "57P", "40001", "40P01", "55P03", "57014")


def as_unavailable(error: BaseException) -> ServiceUnavailableError | None:
    """The 503 that this error means, or None when it means something else."""
    if isinstance(error, ServiceUnavailableError):
        return error
    transient = (isinstance(error, DBAPIError) and _is_transient(error)) or (
        isinstance(error, PostgresError) and str(error.sqlstate or "").startswith(_TRANSIENT_STATES)
    )
    unreachable = isinstance(error, OSError) and error.errno in _UNREACHABLE
    return ServiceUnavailableError() if transient or unreachable or isinstance(error, _UNAVAILABLE) else None


# MySQL's numbers for the same.
_TRANSIENT_CODES = (1040, 1053, 1205, 1213, 1969, 2002, 2003, 2006, 2013, 3024)


def _is_transient(error: DBAPIError) -> bool:
    state = getattr(error.orig, "sqlstate", None) or ""
    code = next(iter(getattr(error.orig, "args", ())), None)
    return error.connection_invalidated or str(state).startswith(_TRANSIENT_STATES) or code in _TRANSIENT_CODES


# Unique and foreign keys: PostgreSQL's SQLSTATE, MySQL's error numbers.
_CONFLICTS = ("23505", "23503", 1062, 1451, 1452)


def as_conflict(error: BaseException) -> ConflictError | None:
    """The 409 that this error means, or None when it means something else."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, DuplicateKeyError):
        return ConflictError()
    code = getattr(cause, "sqlstate", None) or next(iter(getattr(cause, "args", ())), None)
    return ConflictError() if code in _CONFLICTS else None
