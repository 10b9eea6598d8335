import re

_RANGE = re.compile(r"bytes=(\d{0,19})-(\d{0,19})", re.ASCII | re.IGNORECASE)


def parse_range(header: str | None, size: int) -> tuple[int, int] | None:
    """The first byte and the number of bytes that a Range header asks for (RFC 9110, 14.2).

    None means all: there is no header, or one that a server may ignore, as it is malformed or names several ranges.

    Raises:
        ValueError: The range lies beyond the end of a content of this size.
    """
    found = _RANGE.fullmatch((header or "").strip())
    if found is None or found[0].endswith("=-"):
        return None
    first, last = (int(number) if number else None for number in found.groups())
    if first is None:  # the last so many bytes
        first, last = max(0, size - (last or 0)), size - 1
    elif last is not None and last < first:
        return None
    if first >= size:
        raise ValueError("The range lies beyond the end.")
    return first, min(size - 1 if last is None else last, size - 1) - first + 1
