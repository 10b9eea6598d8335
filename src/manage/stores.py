"""Opens the stores for a command, and turns its failures into one line."""

import asyncio
import sys
from collections.abc import AsyncIterator, Coroutine
from contextlib import aclosing, asynccontextmanager
from copy import copy
from typing import Any, TypeVar

from src.core.config import Settings, settings
from src.core.exceptions import AppError, InvalidInputError
from src.core.logging import configure_logging
from src.core.preflight import require_stores
from src.core.realtime.event_bus import ReplaySettings
from src.core.resources import Resources, open_resources
from src.core.stores.errors import as_unavailable
from src.queues import load_app
from src.queues.emitter import RedisEmitter
from src.queues.publisher import create_outbox

T = TypeVar("T")


@asynccontextmanager
async def open_stores(*, schema: bool = True) -> AsyncIterator[Resources]:
    """The stores that the settings name.

    Args:
        schema: Whether the SQL schema has to be the one of this code.

    Raises:
        PreflightError: One does not answer, or has another schema.
    """
    async with open_clients() as resources:
        await require_stores(resources, schema=schema)
        yield resources


@asynccontextmanager
async def open_clients() -> AsyncIterator[Resources]:
    """The same, whether they answer or not."""
    configure_logging(quiet(settings))
    replay = ReplaySettings(settings.sockets.recovery_seconds, settings.sockets.recovery_messages)
    async with (
        aclosing(RedisEmitter(settings.REDIS_DATABASE_URL, replay)) as events,
        open_resources(settings, create_outbox(load_app), events) as resources,
    ):
        yield resources


def quiet(settings: Settings) -> Settings:
    """The same settings, logging errors only: what a command prints is its result."""
    silent = copy(settings)
    silent.app = settings.app.model_copy(update={"log_level": "ERROR"})
    return silent


def run(command: Coroutine[Any, Any, T]) -> T:
    """Run a command to its end; a failure that an operator can repair ends the process with one line."""
    try:
        return asyncio.run(command)
    except AppError as error:
        sys.exit(_line(error))
    except Exception as error:
        unavailable = as_unavailable(error)
        if unavailable is None:
            raise
        reason = str(error) or type(error).__name__
        sys.exit(f"{unavailable.store or 'A store'} is unavailable: {reason}. Try again once it is back.")


def _line(error: AppError) -> str:
    if isinstance(error, InvalidInputError):  # its message is the same for every field
        return " ".join(item["message"] for item in error.data)
    return error.message
