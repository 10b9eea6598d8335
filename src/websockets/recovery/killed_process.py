"""What a process that was killed had sent, from the stream and the last event that one of its clients received."""

from src.core.realtime.offsets import event_id, heard_of, number_of, process_of
from src.websockets.recovery.stream_reader import Messages


def received_with(last: str, process: str, messages: Messages) -> list[str] | None:
    """Find the offsets of the events that `process` handled before `last`, followed by `last`.

    A process delivers its own events in the order of their numbers, before they are in the stream, and those of others
    in the order of the stream. The offset of each of its own names the event of others that it had handled last.

    Args:
        last: The offset of the last event that a client received.
        process: The process that the client was connected to.
        messages: A part of the stream; whatever is older counts as handled.

    Returns:
        None if `last` is an event of others, and not among the messages.
    """
    offsets: list[str] = [message["offset"] for _, message in messages if message.get("offset")]
    positions = {event_id(offset): position for position, offset in enumerate(offsets)}
    is_own = process_of(last) == process
    heard = positions.get(heard_of(last) if is_own else event_id(last), -1)
    if not is_own and heard < 0:
        return None

    def is_received(position: int, offset: str) -> bool:
        if process_of(offset) != process:
            return position <= heard
        if is_own:
            return number_of(offset) <= number_of(last)
        return positions.get(heard_of(offset), -1) < heard

    received = [offset for position, offset in enumerate(offsets) if is_received(position, offset)]
    return [*(offset for offset in received if offset != last), last]


def sent_before(first: str, process: str, messages: Messages) -> list[str]:
    """Find the offsets of the events that `process` had certainly handled before `first`, which it may have replayed.

    Its own events count only if what they had heard is known: others it may have emitted after the replay.
    """
    known = {event_id(message["offset"]) for _, message in messages if message.get("offset")}
    is_own = process_of(first) == process
    return [
        offset
        for offset in received_with(first, process, messages) or ()
        if is_own or process_of(offset) != process or heard_of(offset) in known
    ]
