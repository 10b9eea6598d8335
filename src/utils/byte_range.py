import re

_RANGE = re.compile(r"bytes=(\d{0,19})-(\d{0,19})", re.ASCII | re.IGNORECASE)


def parse_range(header: str | None, size: int) -> tuple[int, int] | None:
    """Parse a Range header (RFC 9110, 14.2) into the offset and the number of bytes.

    Returns None, which means the whole content, if there is no header, or one that a server may ignore: malformed, or
    with several ranges.

    Args:
        header: The value of the header.
        size: The size of the content in bytes.

    Raises:
        ValueError: The range begins after the end of the content.
    """
    match = _RANGE.fullmatch((header or "").strip())
    if match is None or match[0].endswith("=-"):
        return None
    first, last = (int(number) if number else None for number in match.groups())
    if first is None:  # a suffix: the last `last` bytes
        first, last = max(0, size - (last or 0)), size - 1
    elif last is not None and last < first:
        return None
    if first >= size:
        raise ValueError("The range begins after the end.")
    return first, min(size - 1 if last is None else last, size - 1) - first + 1
