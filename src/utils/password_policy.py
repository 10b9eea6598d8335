"""Which new passwords are accepted: long enough, storable, and not among those that everybody tries first."""

from functools import cache

MINIMUM_LENGTH = 8
MAXIMUM_LENGTH = 128
MAXIMUM_BYTES = 256


def weakness(password: str) -> str | None:
    """Why the password is refused, or None. No rules of composition: length is what counts (ASVS 6.2)."""
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
    # Imported when first needed: the lists are large, and most processes never set a password.
    from zxcvbn.frequency_lists import FREQUENCY_LISTS

    return frozenset(FREQUENCY_LISTS["passwords"])
