"""The policy for new passwords: minimum and maximum length, and not among the most common passwords."""

from functools import cache

MINIMUM_LENGTH = 8
MAXIMUM_LENGTH = 128
MAXIMUM_BYTES = 256


def weakness(password: str) -> str | None:
    """Why the password is too weak, or None. There are no composition rules, as ASVS 6.2 recommends."""
    if len(password) < MINIMUM_LENGTH:
        return f"must have at least {MINIMUM_LENGTH} characters"
    if len(password) > MAXIMUM_LENGTH or len(password.encode(errors="surrogatepass")) > MAXIMUM_BYTES:
        return f"must have at most {MAXIMUM_LENGTH} characters and {MAXIMUM_BYTES} bytes"
    if "\x00" in password:
        return "must not contain the NUL character"
    if password.lower() in _common_passwords():
        return "is one of the most common passwords"
    return None


@cache
def _common_passwords() -> frozenset[str]:
    # Imported at the first use: the lists are large, and most processes never set a password.
    from zxcvbn.frequency_lists import FREQUENCY_LISTS

    return frozenset(FREQUENCY_LISTS["passwords"])
