"""Types of a schedule's fields, which requests validate."""

from math import isfinite
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field

from src.core.tasks.headers import is_reserved
from src.schemas.base import SafeStr
from src.utils.crontab import Crontab
from src.utils.text import UNSTORABLE, is_storable

UTC_ZONE = ZoneInfo("UTC")
MAXIMUM_DEPTH = 32
# Prefixes of Celery's own Redis keys.
RESERVED_PREFIXES = "unacked", "celery-task", "_"


def _is_crontab(value: str) -> str:
    Crontab.parse(value, UTC_ZONE)
    return value


def _is_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, OSError, ValueError) as error:
        raise ValueError("unknown time zone") from error
    return value


def _is_storable(value: Any, depth: int = 0) -> Any:
    if depth > MAXIMUM_DEPTH:
        raise ValueError(f"is nested more than {MAXIMUM_DEPTH} levels deep")
    match value:
        case str() if not is_storable(value):
            raise ValueError(UNSTORABLE)
        case float() if not isfinite(value):
            raise ValueError("numbers must be finite")
        case list():
            for item in value:
                _is_storable(item, depth + 1)
        case dict():
            for name, item in value.items():
                _is_storable(name)
                _is_storable(item, depth + 1)
    return value


def _is_queue(value: str) -> str:
    # A queue is a Redis key.
    if value.startswith(RESERVED_PREFIXES):
        raise ValueError("this name is reserved for the broker")
    return value


def _is_unreserved(headers: dict[str, Any]) -> dict[str, Any]:
    if reserved := sorted(filter(is_reserved, headers)):
        raise ValueError(f"reserved headers: {', '.join(reserved)}")
    return headers


Name = Annotated[SafeStr, Field(min_length=1, max_length=200)]
TaskName = Annotated[SafeStr, Field(min_length=1, max_length=255)]
Expression = Annotated[SafeStr, Field(max_length=500), AfterValidator(_is_crontab)]
Zone = Annotated[SafeStr, Field(min_length=1, max_length=64), AfterValidator(_is_zone)]
QueueName = Annotated[str, Field(max_length=255, pattern=r"^[A-Za-z0-9_.:-]+$"), AfterValidator(_is_queue)]
# JSON that Celery's serializer and PostgreSQL accept.
Arguments = Annotated[list[Any], Field(max_length=100), AfterValidator(_is_storable)]
NamedArguments = Annotated[dict[str, Any], Field(max_length=100), AfterValidator(_is_storable)]
Headers = Annotated[NamedArguments, AfterValidator(_is_unreserved)]
Every = Annotated[int, Field(ge=1, le=2**31 - 1)]
