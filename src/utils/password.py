"""Password hashes: argon2id for new ones, bcrypt still verified; both are slow on purpose, so call them in threads."""

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
    """A hash to verify against when there is none, so that every failure takes equally long."""
    return hash_password("nobody's password")


def verify_password(password: str, hashed: str) -> tuple[bool, str | None]:
    """Whether the password fits, and a stronger hash to store when the old one is outdated.

    Never raises: what no scheme can handle (NUL, lone surrogates, 5,000 characters, a foreign hash) does not fit.
    """
    try:
        fits, replacement = _context.verify_and_update(password, hashed)
    except (ValueError, TypeError, UnknownHashError):
        return False, None
    return bool(fits), replacement
