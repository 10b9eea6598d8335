import hashlib
import re
import secrets
from uuid import UUID

RECOVERY_CODES = 10


def new_recovery_codes() -> list[str]:
    """Ten codes of 80 random bits each, in groups that people can type."""
    return ["-".join(re.findall(".{5}", secrets.token_hex(10))) for _ in range(RECOVERY_CODES)]


def hash_recovery_code(user_id: UUID, code: str) -> str:
    """How a code is stored: 80 random bits cannot be guessed from their hash. Case and separators do not count."""
    canonical = re.sub(r"[\s-]", "", code).lower()
    return hashlib.sha256(f"{user_id}:{canonical}".encode(errors="replace")).hexdigest()
