"""Keeps messages whose task no worker of the queue knows; Celery drops them."""

from typing import Any

from kombu import Queue

DEAD_LETTERS = "dead-letters"


def keep_dead_letter(sender: Any, message: Any, **_signal: object) -> None:
    """Send a message of an unknown task to the queue `dead-letters`, with the name of its queue as a header."""
    origin = message.delivery_info.get("routing_key")
    with sender.app.producer_or_acquire() as producer:
        producer.publish(
            message.body,
            routing_key=DEAD_LETTERS,
            exchange="",
            declare=[Queue(DEAD_LETTERS, routing_key=DEAD_LETTERS)],
            headers={**message.headers, "dead_letter_of": origin},
            content_type=message.content_type,
            content_encoding=message.content_encoding,
            **{name: message.properties.get(name) for name in ("correlation_id", "reply_to")},
        )
