import re
import unicodedata
from urllib.parse import quote

RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
DIRECTIONAL = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
MARKS = "\u200e\u200f\u061c"
LIMIT_BYTES = 255


def checked_filename(name: str) -> str:
    """Return the name in NFC if it is a valid file name on every operating system.

    Raises:
        ValueError: It is a path, a reserved name, too long, or has control or directional characters.
    """
    name = unicodedata.normalize("NFC", name)
    if not 0 < len(name.encode()) <= LIMIT_BYTES:
        raise ValueError(f"must have 1 to {LIMIT_BYTES} bytes in UTF-8")
    if "/" in name or "\\" in name:
        raise ValueError("must not be a path")
    if any(_is_deceptive(character) for character in name):
        raise ValueError("must not contain control or directional characters")
    if name != name.strip(" ") or name.endswith(".") or RESERVED.fullmatch(name):
        raise ValueError("must not be a reserved name")
    return name


def attachment(name: str) -> str:
    """The `Content-Disposition` header that makes browsers save a file under this name (RFC 6266)."""
    plain = re.sub(r"[^ !#$&+\-.0-9A-Z^_`a-z{}~()]", "_", name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def _is_deceptive(character: str) -> bool:
    is_control = unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"}
    return is_control or unicodedata.bidirectional(character) in DIRECTIONAL or character in MARKS
