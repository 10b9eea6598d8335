"""Celery's consumer, with dead letters, and with rate limits that are not its own."""

import warnings
from contextlib import suppress
from functools import partial
from typing import Any

from celery.exceptions import CPendingDeprecationWarning
from celery.utils.log import get_logger
from celery.worker.consumer import Consumer as CeleryConsumer
from kombu import Queue

from src.queues.broker.malformed import DEAD_LETTERS, UNREADABLE

logger = get_logger(__name__)


RECONNECT_SECONDS = 5
"""The longest wait between two attempts to connect to the broker; kombu's grows to 30 seconds during an outage."""


class Consumer(CeleryConsumer):
    """Celery's consumer, which sends messages that it cannot run to the queue `dead-letters`, then drops them."""

    def bucket_for_task(self, task: Any) -> Any:
        """The rate limit of this worker; none for a task whose limit counts across workers."""
        return super().bucket_for_task(task) if getattr(task, "rate_limit_key", None) is None else None

    def ensure_connected(self, conn: Any) -> Any:
        """Connect to the broker, however many attempts it takes."""
        conn.ensure_connection = partial(conn.ensure_connection, interval_max=RECONNECT_SECONDS)
        return super().ensure_connected(conn)

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        """Close the channel of a lost connection while it can still return its messages to their queues.

        Celery closes it after it has given up the connection, on which kombu then raises an `AttributeError` that would
        end the worker.
        """
        channel = getattr(getattr(self, "task_consumer", None), "channel", None)
        for _ in range(2):  # the first time it may only find that the reply to its poll is lost
            with suppress(*self.connection_errors, *self.channel_errors):  # type: ignore[attr-defined]  # as below
                if channel is not None:
                    channel.close()
        with warnings.catch_warnings():  # Celery advertises an option that cancels what runs
            warnings.simplefilter("ignore", CPendingDeprecationWarning)
            super().on_connection_error_after_connected(exc)

    def on_close(self) -> None:
        """Forget runs that were not started, but not those that a process of the prefork pool has received.

        Celery forgets these as well until the process says that it has started. The run's message would then never be
        acknowledged, and the run repeated.
        """
        for job in getattr(getattr(self.pool, "_pool", None), "_cache", {}).values():
            job._accepted = job._accepted or job._write_to is not None
        super().on_close()

    def create_task_handler(self, *args: Any, **kwargs: Any) -> Any:
        """Celery's handler of messages; keep one that it fails to read, which would end the worker."""
        handle = super().create_task_handler(*args, **kwargs)

        def on_task_received(message: Any) -> None:
            try:
                _check_headers(message)
                handle(message)
            except UNREADABLE as error:
                self._keep(message)
                logger.error("a message that cannot be read was moved to %r: %r", DEAD_LETTERS, error)
                if not message.acknowledged:
                    message.reject_log_error(logger, self.connection_errors)  # type: ignore[attr-defined]  # as above

        return on_task_received

    def on_unknown_task(self, body: Any, message: Any, exc: Exception) -> None:
        """Keep a message whose task this worker does not have."""
        self._keep(message)
        super().on_unknown_task(body, message, exc)

    def on_unknown_message(self, body: Any, message: Any) -> None:
        """Keep a message that is none of Celery's."""
        self._keep(message)
        super().on_unknown_message(body, message)

    def on_invalid_task(self, body: Any, message: Any, exc: Exception) -> None:
        """Keep a message whose fields are invalid, or whose content type is not accepted."""
        self._keep(message)
        super().on_invalid_task(body, message, exc)

    def on_decode_error(self, message: Any, exc: Exception) -> None:
        """Keep a message whose body cannot be decoded."""
        self._keep(message)
        super().on_decode_error(message, exc)

    def _keep(self, message: Any) -> None:
        """Publish the message as it is, with the name of its queue as a header."""
        headers = dict(message.headers) if isinstance(message.headers, dict) else {}
        if not message.errors:
            headers.pop("compression", None)  # kombu has decompressed the body
        try:
            with self.app.producer_or_acquire() as producer:
                producer.publish(
                    message.body,
                    routing_key=DEAD_LETTERS,
                    exchange="",
                    declare=[Queue(DEAD_LETTERS, routing_key=DEAD_LETTERS)],
                    headers={**headers, "dead_letter_of": message.delivery_info.get("routing_key")},
                    content_type=message.content_type or "application/data",
                    content_encoding=message.content_encoding or "binary",
                    **{name: message.properties.get(name) for name in ("correlation_id", "reply_to")},
                )
        except self.connection_errors:  # type: ignore[attr-defined]  # missing from the stubs
            raise  # the message is still unacknowledged, and comes again
        except Exception:  # it must not stop the worker each time that it comes
            logger.exception("a message could not be kept as a dead letter")


def _check_headers(message: Any) -> None:
    """Raise `TypeError` for headers that Celery uses long after it has taken the message."""
    headers = message.headers if isinstance(message.headers, dict) else {}
    limits, stamps, names = (headers.get(name) for name in ("timelimit", "stamps", "stamped_headers"))
    hard, soft = limits or (None, None)
    if not all(limit is None or isinstance(limit, int | float) for limit in (hard, soft)):
        raise TypeError(f"not a pair of time limits: {limits!r}")
    if not isinstance(stamps or {}, dict) or not all(isinstance(name, str) for name in names or ()):
        raise TypeError(f"not stamps: {stamps!r}, {names!r}")
