"""Password hashes: argon2id; bcrypt is still verified. Both are slow by design, so call them in threads."""

from functools import cache

from passlib.context import CryptContext
from passlib.exc import UnknownHashError

# OWASP's minimum for argon2id: 19 MiB, two passes, one lane.
_context = CryptContext(
    schemes=["argon2", "bcrypt"],
    deprecated=["bcrypt"],
    argon2__type="ID",
    argon2__memory_cost=19 * 1024,
    argon2__time_cost=2,
    argon2__parallelism=1,
)


def hash_password(password: str) -> str:
    """An argon2id hash of the password."""
    return str(_context.hash(password))


@cache
def dummy_hash() -> str:
    """A hash to verify against if the user does not exist, so that every failure takes equally long."""
    return hash_password("dummy password")


def verify_password(password: str, hashed: str) -> tuple[bool, str | None]:
    """Whether the password matches, and a new hash to store if the old one is deprecated.

    Never raises: input that no scheme accepts (NUL, lone surrogates, 5,000 characters, an unknown hash) does not match.
    """
    try:
        matches, replacement = _context.verify_and_update(password, hashed)
    except (ValueError, TypeError, UnknownHashError):
        return False, None
    return bool(matches), replacement
