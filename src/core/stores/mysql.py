"""Adapts models and CRUD classes to MySQL and MariaDB."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import DateTime, UnaryExpression
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.operators import nulls_first_op, nulls_last_op

from src.core.config.sql import SQLSettings


@compiles(DateTime, "mysql", "mariadb")
def _with_microseconds(*_: Any, **__: Any) -> str:
    """Store microseconds, by which rows are ordered."""
    return "DATETIME(6)"


@compiles(UnaryExpression, "mysql", "mariadb")
def _in_native_order(element: UnaryExpression[Any], compiler: Any, **options: Any) -> str:
    """Omit NULLS FIRST and NULLS LAST, which these servers lack: they sort NULL first, as we do."""
    if element.modifier in (nulls_first_op, nulls_last_op):
        return str(compiler.process(element.element, **options))
    return str(compiler.visit_unary(element, **options))


def mysql_options(settings: SQLSettings, read_only: bool) -> dict[str, Any]:
    """Connection arguments of asyncmy: the same timeouts as with PostgreSQL, and times in UTC."""
    # Imported here: asyncmy is only installed where such a database is used.
    from asyncmy.constants.FIELD_TYPE import DATETIME
    from asyncmy.converters import conversions

    convert: Any = conversions[DATETIME]

    def aware(value: Any) -> Any:
        """The server stores no time zone; all times are UTC."""
        converted = convert(value)
        return converted.replace(tzinfo=UTC) if isinstance(converted, datetime) else converted

    commands = [
        "time_zone = '+00:00'",
        f"innodb_lock_wait_timeout = {max(1, round(settings.lock_timeout_seconds))}",
        "sql_mode = 'STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO'",
        *(["SESSION transaction_read_only = 1"] if read_only else []),
    ]
    return {
        "charset": "utf8mb4",
        "connect_timeout": settings.connect_timeout_seconds,
        "read_timeout": settings.command_timeout_seconds,
        "init_command": "SET " + ", ".join(commands),
        "conv": {**conversions, DATETIME: aware},
    }
