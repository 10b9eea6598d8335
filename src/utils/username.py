"""The form in which usernames are compared, and which ones look like another."""

import unicodedata

MAXIMUM_LENGTH = 64
PUNCTUATION = frozenset(".@+-_")
# Scripts that are written together: Japanese, Korean, and Chinese with phonetic signs.
_TOGETHER = [{"CJK", "HIRAGANA", "KATAKANA"}, {"CJK", "HANGUL"}, {"CJK", "BOPOMOFO"}]


def canonical_username(username: str) -> str:
    """The form in which usernames are unique, and are looked up: NFKC without case."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", username).casefold())


def normalize_username(username: str) -> str:
    """The username in NFKC, as it is stored and shown.

    Raises:
        ValueError: It mixes scripts, is too long, or has other characters than letters, digits and `.@+-_`.
    """
    normalized = unicodedata.normalize("NFKC", username)
    scripts = {_script(character) for character in normalized} - {""}
    if len(normalized) > MAXIMUM_LENGTH:
        raise ValueError(f"must have at most {MAXIMUM_LENGTH} characters in Unicode's form NFKC")
    if len(scripts) > 1 and not any(scripts <= together for together in _TOGETHER):
        raise ValueError("must not mix scripts, since letters of different scripts look the same")
    return normalized


def _script(character: str) -> str:
    """The script of a letter, digit or sign, as its Unicode name begins; empty for those of every script.

    Raises:
        ValueError: The character is not allowed.
    """
    if character in PUNCTUATION or (character.isascii() and character.isdigit()):
        return ""
    name = unicodedata.name(character, "")
    if unicodedata.category(character)[0] not in "LMN" or name.startswith(("COMBINING", "VARIATION")):
        raise ValueError("must consist of letters, digits and .@+-_")
    return name.replace("-", " ").partition(" ")[0]
