import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from src.core.exceptions import ConflictError, ServiceUnavailableError
from src.core.tasks.queues import DeadLetter, DeadLetterFilter, QueueCounts

if TYPE_CHECKING:
    from celery import Celery

    from src.queues.inspection.dead_letters import DeadLetters

T = TypeVar("T")
TIMEOUT_SECONDS = 3


class BrokerQueues:
    """The queues of a Celery application's broker; each call opens a connection of its own, in a thread.

    Args:
        load: Returns the application, with its tasks.
    """

    def __init__(self, load: "Callable[[], Awaitable[Celery[Any]]]") -> None:
        self._load = load

    async def count(self, queues: Collection[str]) -> QueueCounts:
        """Count the messages of these queues, and of those that tasks are sent to by default."""
        app = await self._load()
        names = {*queues, *(getattr(task, "queue", None) or app.conf.task_default_queue for task in app.tasks.values())}
        return await self._call(app, _count, sorted(names))

    async def dead_letters(
        self, choice: DeadLetterFilter, *, offset: int = 0, limit: int
    ) -> tuple[Sequence[DeadLetter], int]:
        """The dead letters, newest first, and how many there are."""
        return await self._call_redis(lambda letters: letters.page(choice, offset, limit))

    async def resend(self, ids: Collection[str]) -> int:
        """Return dead letters to the queues that they came from; returns how many."""
        return await self._call_redis(lambda letters: letters.resend(ids))

    async def drop(self, ids: Collection[str]) -> int:
        """Delete dead letters; returns how many."""
        return await self._call_redis(lambda letters: letters.drop(ids))

    async def malformed(self, limit: int) -> tuple[Sequence[str], int]:
        """The newest messages that could not be read, and how many there are."""
        return await self._call_redis(lambda letters: letters.malformed(limit))

    async def _call_redis(self, function: "Callable[[DeadLetters], T]") -> T:
        def call(connection: Any) -> T:
            from src.queues.inspection.dead_letters import DeadLetters

            if connection.transport.driver_type != "redis":
                raise ConflictError("This broker has tools of its own for it.", error="tasks.other_broker")
            return function(DeadLetters(connection.default_channel))

        return await self._call(await self._load(), call)

    async def _call(self, app: "Celery[Any]", function: Callable[..., T], *args: Any) -> T:
        from kombu.exceptions import OperationalError

        def call() -> T:
            with app.connection_for_read() as connection:
                connection.ensure_connection(max_retries=1, interval_start=0, timeout=2)
                try:
                    return function(connection, *args)
                except connection.connection_errors as error:
                    raise OperationalError(str(error)) from error

        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                return await asyncio.to_thread(call)
        except (TimeoutError, OperationalError, OSError) as error:
            message = "The task broker is unavailable."
            raise ServiceUnavailableError(message, error="broker.unavailable", store="broker") from error


def _count(connection: Any, names: Collection[str]) -> QueueCounts:
    from src.queues.broker.delayed import DELAYED_KEY
    from src.queues.broker.malformed import DEAD_LETTERS, MALFORMED_KEY

    waiting = {name: _length(connection, name) for name in names if name != DEAD_LETTERS}
    dead_letters = _length(connection, DEAD_LETTERS)
    if connection.transport.driver_type != "redis":
        return QueueCounts(waiting, 0, dead_letters, 0)
    with connection.default_channel.conn_or_acquire() as client:
        return QueueCounts(waiting, client.zcard(DELAYED_KEY), dead_letters, client.llen(MALFORMED_KEY))


def _length(connection: Any, name: str) -> int:
    """How many messages wait in a queue; none if it does not exist."""
    is_redis = connection.transport.driver_type == "redis"
    # With RabbitMQ, asking for a queue that does not exist closes the channel.
    channel = connection.default_channel if is_redis else connection.channel()
    try:
        return int(channel.queue_declare(name, passive=True).message_count)
    except connection.channel_errors:
        return 0
    finally:
        if not is_redis:
            channel.close()
