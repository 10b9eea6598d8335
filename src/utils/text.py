def is_storable(text: str) -> bool:
    """Whether every store takes the text: none takes NUL, and UTF-8 has no lone surrogates."""
    return "\x00" not in text and not any("\ud800" <= character <= "\udfff" for character in text)
