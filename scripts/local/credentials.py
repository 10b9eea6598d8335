"""Passwords and keys of the embedded stores, generated at the first start and kept in the data directory."""

import json
import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from scripts.local.directory import write_private


def _random() -> str:
    return secrets.token_urlsafe(48)


@dataclass(frozen=True)
class Credentials:
    """One secret per store and key; all are URL-safe text of 64 characters."""

    postgresql: str = field(default_factory=_random)
    redis: str = field(default_factory=_random)
    mongodb: str = field(default_factory=_random)
    s3: str = field(default_factory=_random)
    access_token: str = field(default_factory=_random)
    refresh_token: str = field(default_factory=_random)
    factors: str = field(default_factory=_random)

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Read the secrets, and generate missing ones."""
        file = directory / "secrets.json"
        kept = json.loads(file.read_text()) if file.exists() else {}
        credentials = cls(**kept)
        if asdict(credentials) != kept:
            write_private(file, json.dumps(asdict(credentials), indent=2))
        return credentials


def rsa_private_key(directory: Path) -> Path:
    """The PEM file of the RSA-3072 key for logins; generated if it is missing."""
    file = directory / "rsa_private_key.pem"
    if not file.exists():
        key = rsa.generate_private_key(public_exponent=65537, key_size=3072)
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        write_private(file, pem.decode())
    return file
