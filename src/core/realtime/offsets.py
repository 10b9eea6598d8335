"""Offsets identify events to clients: `<milliseconds>-<process>-<number>`, and what the process had handled before."""

import re

_EVENT_ID = r"\d{1,15}-[0-9a-f]{8}-\d{1,15}"
_OFFSET = re.compile(f"{_EVENT_ID}(;{_EVENT_ID})?")


def milliseconds_of(offset: str) -> int:
    """When an event was emitted, in Unix milliseconds."""
    return int(offset.partition("-")[0])


def process_of(offset: str) -> str:
    """The process that emitted an event."""
    return offset.split("-")[1]


def number_of(offset: str) -> int:
    """The number of an event among those of its process."""
    return int(event_id(offset).rpartition("-")[2])


def event_id(offset: str) -> str:
    """The part of an offset that identifies the event."""
    return offset.partition(";")[0]


def heard_of(offset: str) -> str:
    """The id of the last event of others that the process had handled; empty if there was none."""
    return offset.partition(";")[2]


def is_offset(text: object) -> bool:
    """Whether a client's text may be an offset."""
    return isinstance(text, str) and _OFFSET.fullmatch(text) is not None
