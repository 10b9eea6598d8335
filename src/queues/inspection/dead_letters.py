"""Finds, resends and drops dead letters, which are messages in the lists of the queue `dead-letters` in Redis."""

import base64
import hashlib
import json
from collections.abc import Collection, Iterator
from datetime import datetime
from itertools import islice
from typing import Any, NamedTuple

from src.core.tasks.queues import DeadLetter, DeadLetterFilter
from src.core.tasks.run_event import MAXIMUM_BYTES
from src.queues.broker.malformed import DEAD_LETTERS, MALFORMED_KEY, UNREADABLE
from src.queues.broker.scripts import WAKE_UP
from src.queues.broker.transport import WAKEUP_KEY
from src.utils.bounds import check_bounds
from src.utils.masking import masked
from src.utils.text import is_storable, to_storable

SEARCHED = 10_000
MAXIMUM_TEXT = 4000
CHUNK = 100
# Moves a message to its queue, unless somebody else has moved or dropped it.
# KEYS: its list, the list of its queue, the wake-up key of its queue. ARGV: the message, and the message to send.
RESEND = (
    WAKE_UP
    + """
if redis.call('LREM', KEYS[1], 1, ARGV[1]) == 0 then return 0 end
redis.call('LPUSH', KEYS[2], ARGV[2])
wake_up(KEYS[3])
return 1
"""
)


class Found(NamedTuple):
    """A dead letter, the list that it is in, and the message."""

    letter: DeadLetter
    key: str
    message: bytes


class DeadLetters:
    """The dead letters that a channel of kombu's Redis transport reaches."""

    def __init__(self, channel: Any) -> None:
        self._channel = channel
        with channel.conn_or_acquire() as client:
            self._client = client
        self._keys = [channel._q_for_pri(DEAD_LETTERS, priority) for priority in channel.priority_steps]

    def page(self, choice: DeadLetterFilter, offset: int, limit: int) -> tuple[list[DeadLetter], int]:
        """Those that match, newest first within each priority, and how many there are."""
        if choice.is_empty:
            page, total = list(islice(self._all(offset), limit)), sum(map(self._client.llen, self._keys))
        else:
            found = list(self._search(choice))
            page, total = found[offset : offset + limit], len(found)
        return [found.letter for found in page], total

    def resend(self, ids: Collection[str]) -> int:
        """Return these to their queues, the oldest first; returns how many."""
        return sum(map(self._resend, reversed(list(self._search(DeadLetterFilter(ids))))))

    def drop(self, ids: Collection[str]) -> int:
        """Delete these; returns how many."""
        found = list(self._search(DeadLetterFilter(ids)))
        return sum(int(self._client.lrem(each.key, 1, each.message)) for each in found)

    def malformed(self, limit: int) -> tuple[list[str], int]:
        """The newest messages that could not be read, and how many there are."""
        messages = self._client.lrange(MALFORMED_KEY, 0, limit - 1)
        return [_text(message) for message in messages], int(self._client.llen(MALFORMED_KEY))

    def _search(self, choice: DeadLetterFilter) -> Iterator[Found]:
        return (found for found in islice(self._all(), SEARCHED) if choice.matches(found.letter))

    def _all(self, offset: int = 0) -> Iterator[Found]:
        for key in self._keys:
            length = int(self._client.llen(key))
            for start in range(offset, length, CHUNK):
                for message in self._client.lrange(key, start, start + CHUNK - 1):
                    yield Found(_read(message), key, message)
            offset = max(offset - length, 0)

    def _resend(self, found: Found) -> int:
        queue = found.letter.queue
        if not queue:
            return 0
        message = json.loads(found.message)
        # Without these it is what it was: a message of its queue, which does not expire before it can run.
        for name in ("dead_letter_of", "expires"):
            message["headers"].pop(name, None)
        message["properties"]["delivery_info"] = {"exchange": "", "routing_key": queue}
        priority = self._channel._get_message_priority(message, reverse=False)
        keys = found.key, self._channel._q_for_pri(queue, priority), WAKEUP_KEY % queue
        return int(self._client.eval(RESEND, len(keys), *keys, found.message, json.dumps(message)))


def _read(message: bytes) -> DeadLetter:
    headers: dict[str, Any] = {}
    args = kwargs = queued_at = None
    try:
        content = json.loads(message)
        headers = dict(content["headers"])
        queued_at = datetime.fromisoformat(headers["queued_at"]) if headers.get("queued_at") else None
        if content["content-type"] == "application/json" and "compression" not in headers:
            body = base64.b64decode(content["body"])
            if len(body) <= MAXIMUM_BYTES:  # as in the run history
                args, kwargs, *_ = json.loads(body)
                check_bounds([args, kwargs])
                args, kwargs = to_storable(masked([args, kwargs]))
    except UNREADABLE:
        args = kwargs = None
    return DeadLetter(
        id=hashlib.sha256(message).hexdigest()[:32],
        task=_string(headers.get("task")),
        task_id=_string(headers.get("id")),
        queue=_string(headers.get("dead_letter_of")),
        args=args if isinstance(args, list) else None,
        kwargs=kwargs if isinstance(kwargs, dict) else None,
        queued_at=queued_at,
    )


def _string(value: Any) -> str | None:
    return value if isinstance(value, str) and is_storable(value) else None


def _text(message: bytes) -> str:
    return message.decode(errors="backslashreplace")[:MAXIMUM_TEXT]
