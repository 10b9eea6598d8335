"""Positions in the stream of events: the ids of its entries as integers, which increase for ever."""

_SEQUENCE_BITS = 24


def position_of(entry_id: str | bytes) -> int:
    """The position of an entry, from its id: `<milliseconds>-<sequence>`.

    Raises:
        ValueError: It is no id.
    """
    milliseconds, _, sequence = (entry_id.decode() if isinstance(entry_id, bytes) else entry_id).partition("-")
    return position_at(int(milliseconds)) + int(sequence)


def entry_id(position: int) -> str:
    """The id of the entry at a position."""
    return f"{position >> _SEQUENCE_BITS}-{position & (1 << _SEQUENCE_BITS) - 1}"


def position_at(milliseconds: int) -> int:
    """The first position of a time in Unix milliseconds, by the clock of Redis."""
    return milliseconds << _SEQUENCE_BITS
